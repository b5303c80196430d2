/** What is in a document that no table can read: said by whoever stores it, or left restricted. */
import { useId, type ReactElement } from "react";
import { useCodes, useWords, type Table } from "../../api/queries";
import { texts } from "../../texts";
import { Switch } from "../../ui/parts";

const PAGE = texts.upload;
// The sensitivity of what nobody has labelled; not for people to choose.
const UNLABELLED = "UNLABELLED";

export interface Stated {
  isReviewed: boolean;
  categories: readonly string[];
  sensitivities: readonly string[];
}

export const RESTRICTED: Stated = { isReviewed: false, categories: [], sensitivities: [] };

interface DocumentLabelsProps {
  stated: Stated;
  change: (stated: Stated) => void;
  disabled: boolean;
}

export function DocumentLabels({ stated, change, disabled }: DocumentLabelsProps): ReactElement {
  const name = useId();
  return (
    <fieldset className="field plain" disabled={disabled}>
      <legend>{PAGE.how}</legend>
      {[false, true].map((isReviewed) => (
        <label key={String(isReviewed)} className="choice">
          <input
            type="radio"
            name={name}
            checked={stated.isReviewed === isReviewed}
            onChange={() => change({ ...stated, isReviewed })}
          />
          <span>{isReviewed ? PAGE.reviewed : PAGE.restricted}</span>
        </label>
      ))}
      {stated.isReviewed && (
        <>
          <Codes
            title={PAGE.categories}
            table="categories"
            chosen={stated.categories}
            change={(categories) => change({ ...stated, categories })}
          />
          <Codes
            title={PAGE.sensitivities}
            table="sensitivities"
            chosen={stated.sensitivities}
            change={(sensitivities) => change({ ...stated, sensitivities })}
          />
        </>
      )}
    </fieldset>
  );
}

interface CodesProps {
  title: string;
  table: Table;
  chosen: readonly string[];
  change: (chosen: readonly string[]) => void;
}

function Codes({ title, table, chosen, change }: CodesProps): ReactElement {
  const words = useWords();
  const codes = useCodes(table).filter((code) => code !== UNLABELLED);
  return (
    <fieldset className="field plain">
      <legend>{title}</legend>
      <div className="switch-grid">
        {codes.map((code) => (
          <Switch
            key={code}
            label={words(table, [code])[0]}
            on={chosen.includes(code)}
            change={(on) => change(codes.filter((one) => (one === code ? on : chosen.includes(one))))}
          />
        ))}
      </div>
    </fieldset>
  );
}
