/** How a bundle will be filed, as the tables of the service found. */
import type { ReactElement } from "react";
import { useWords } from "../../api/queries";
import { texts } from "../../texts";
import { Notice } from "../../ui/parts";
import type { Filing } from "./labels";

const PAGE = texts.upload;

export function Filed({ filing }: { filing: Filing }): ReactElement {
  const words = useWords();
  return (
    <section className="stack filed" aria-label={PAGE.labels}>
      <h3>{PAGE.labels}</h3>
      <p className="muted small">{PAGE.labelsLead}</p>
      <ul className="bars">
        {filing.categories.map(([code, entries]) => (
          <li key={code}>
            <span>{words("categories", [code])[0]}</span>
            <progress aria-hidden="true" max={filing.entries} value={entries} />
            <span className="muted small numbers">{PAGE.entries(entries)}</span>
          </li>
        ))}
      </ul>
      {filing.sensitivities.length > 0 ? (
        <Notice tone="warn" title={PAGE.protected}>
          <ul>
            {filing.sensitivities.map(([code, entries]) => (
              <li key={code}>
                {words("sensitivities", [code])[0]} · {PAGE.entries(entries)}
              </li>
            ))}
          </ul>
        </Notice>
      ) : (
        <p className="muted">{PAGE.nothingProtected}</p>
      )}
      {filing.unknown > 0 && <Notice tone="warn">{PAGE.unknown(filing.unknown)}</Notice>}
    </section>
  );
}
