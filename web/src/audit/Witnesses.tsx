/** What witnesses say of the published checkpoint. */
import type { ReactElement } from "react";
import { asMoment } from "../format/time";
import { witnessesOf, type Witness } from "../proof/cosignatures";
import { openCheckpoint } from "../proof/checkpoint";
import { ProofError } from "../proof/bytes";
import { audit } from "../texts/audit";
import { Card, Notice, Tag, Fetching } from "../ui/parts";
import { useWitnessKeys } from "./queries";

const PAGE = audit.checkpoints;
const TONES = { good: "good", broken: "bad", unchecked: "warn", absent: "warn" } as const;

export function Witnesses({ note, logKeys }: { note: string; logKeys: readonly string[] }): ReactElement {
  const keys = useWitnessKeys();
  return (
    <Card title={PAGE.witnesses}>
      <p className="muted">{PAGE.witnessesLead}</p>
      <Fetching of={keys} />
      {keys.data?.length === 0 && <p className="muted">{PAGE.noWitnesses}</p>}
      {keys.data !== undefined && keys.data.length > 0 && (
        <Said note={note} logKeys={logKeys} witnessKeys={keys.data} />
      )}
    </Card>
  );
}

interface SaidProps {
  note: string;
  logKeys: readonly string[];
  witnessKeys: readonly string[];
}

function Said({ note, logKeys, witnessKeys }: SaidProps): ReactElement {
  const found = read(note, logKeys, witnessKeys);
  if (found === null) {
    return (
      <Notice tone="bad" title={PAGE.unsigned}>
        {PAGE.unsignedNext}
      </Notice>
    );
  }
  return (
    <>
      <p>{PAGE.published(found.size)}</p>
      <ul className="lines audit-items">
        {found.witnesses.map((witness) => (
          <li key={witness.name} className="row spread">
            <strong>{witness.name}</strong>
            <span className="row">
              {witness.at !== null && (
                <span className="muted small">
                  {PAGE.at(asMoment(new Date(witness.at * 1000).toISOString()))}
                </span>
              )}
              {witness.state === "unchecked" && <span className="muted small">{PAGE.uncheckedNext}</span>}
              <Tag tone={TONES[witness.state]}>{PAGE.states[witness.state]}</Tag>
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

function read(
  note: string,
  logKeys: readonly string[],
  witnessKeys: readonly string[],
): { size: number; witnesses: Witness[] } | null {
  try {
    return { size: openCheckpoint(note, logKeys).size, witnesses: witnessesOf(note, witnessKeys) };
  } catch (failure) {
    if (failure instanceof ProofError) {
      return null;
    }
    throw failure;
  }
}
