/** Powers that were given, a line each, with the way to take one back. */
import { useState, type ReactElement } from "react";
import { Link } from "wouter";
import { asDay, asList, shortId } from "../format/time";
import { texts } from "../texts";
import { Button } from "../ui/parts";
import { StateTag } from "./Consents";
import { isStanding, type Held } from "./delegation";
import { StopSheet } from "./StopSheet";

interface PowerLinesProps {
  powers: readonly Held[];
  /** What stands below a name, beside the account. */
  about: (held: Held) => string;
  stop: { label: string; title: (name: string) => string; lead: string };
  /** Who is signed in may take this one back. */
  canStop: (held: Held) => boolean;
}

export function PowerLines({ powers, about, stop, canStop }: PowerLinesProps): ReactElement {
  const [stopping, setStopping] = useState<Held | null>(null);
  return (
    <>
      <ul className="lines">
        {powers.map((held) => (
          <li key={held.consent.consent_id} className="power">
            <span className="stack">
              <Link href={`/consents/${held.consent.consent_id}`}>
                <strong>{held.name}</strong>
              </Link>
              <span className="muted small">{about(held)}</span>
              <span className="muted small">
                <code>{shortId(held.account)}</code>
              </span>
            </span>
            <span className="row">
              <StateTag state={held.consent.state} />
              {isStanding(held) && canStop(held) && (
                <Button
                  look="danger"
                  aria-label={`${stop.label}: ${held.name}`}
                  onClick={() => setStopping(held)}
                >
                  {stop.label}
                </Button>
              )}
            </span>
          </li>
        ))}
      </ul>
      {stopping !== null && (
        <StopSheet
          what={{ consent_id: stopping.consent.consent_id }}
          title={stop.title(stopping.name)}
          lead={stop.lead}
          close={() => setStopping(null)}
        />
      )}
    </>
  );
}

export function mayDo({ powers, consent }: Held): string {
  const may = texts.powers.may(asList(powers.map((power) => texts.powers.names[power])));
  return consent.not_after === null ? may : `${may}, ${texts.powers.until(asDay(consent.not_after))}`;
}
