/** Everything that an entry says, and its proof. */
import { useState, type ReactElement, type ReactNode } from "react";
import { api, body } from "../api/client";
import { useNames, useWords } from "../api/queries";
import { asMoment } from "../format/time";
import { ProofPanel } from "../patient/ProofPanel";
import { audit } from "../texts/audit";
import { Button } from "../ui/parts";
import { actorOf, typeWords, type Entry } from "./entries";

const PAGE = audit.entry;

export function EntryDetail({ entry }: { entry: Entry }): ReactElement {
  // The system's entries are nobody's; a patient's is opened only when the auditor wants it to be.
  const [opened, open] = useState(entry.subject === null && entry.type !== null);
  return (
    <div className="audit-entry stack">
      <dl className="facts">
        {useFacts(entry).map(([name, value]) => (
          <div key={name} className="audit-fact">
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {!opened && (
        <>
          <p className="muted small">{PAGE.closed}</p>
          <div className="row">
            <Button onClick={() => open(true)}>{PAGE.open}</Button>
            <span className="muted small">{PAGE.openNote}</span>
          </div>
        </>
      )}
      <ProofPanel
        key={String(opened)}
        entry={entry}
        opened={opened}
        fetchBundle={() =>
          body(
            api.GET("/v1/log/entries/{index}/proof", {
              params: { path: { index: entry.index }, query: { opened } },
            }),
          )
        }
      />
    </div>
  );
}

function useFacts(entry: Entry): [string, ReactNode][] {
  const names = useNames();
  const words = useWords();
  const { kind, id } = actorOf(entry);
  const { fields } = PAGE;
  const facts: [string, ReactNode][] = [
    [fields.index, entry.index],
    [fields.recorded, asMoment(entry.recorded_at)],
  ];
  const put = (name: string, value: ReactNode): void => {
    facts.push([name, value]);
  };
  if (entry.type !== null) {
    put(fields.type, <Coded words={typeWords(entry.type)} code={entry.type} />);
  }
  if (entry.outcome !== null) {
    put(fields.outcome, audit.log.outcomes[entry.outcome] ?? entry.outcome);
  }
  if (entry.actor !== null) {
    put(fields.actor, <Coded words={kind} code={id} />);
  }
  if (entry.organisation !== null) {
    put(fields.organisation, <Coded words={names(entry.organisation)} code={entry.organisation} />);
  }
  if (entry.subject !== null) {
    put(fields.subject, <code>{entry.subject}</code>);
  }
  if (entry.purpose !== null) {
    put(fields.purpose, <Coded words={words("purposes", [entry.purpose])[0] ?? ""} code={entry.purpose} />);
  }
  if (entry.action !== null) {
    put(fields.action, words("actions", [entry.action])[0]);
  }
  for (const [name, codes] of [
    [fields.groups, entry.groups],
    [fields.records, entry.records],
    [fields.segments, entry.segments],
    [fields.consents, entry.consents],
    [fields.reasons, entry.reasons],
    [fields.obligations, words("obligations", entry.obligations)],
  ] as const) {
    if (codes.length > 0) {
      put(name, <Codes codes={codes} />);
    }
  }
  if (entry.final_block !== null) {
    put(fields.block, entry.final_block);
  }
  for (const [name, value] of Object.entries(entry.detail)) {
    put(PAGE.detail(name), <code>{String(value)}</code>);
  }
  return facts;
}

function Coded({ words, code }: { words: string; code: string }): ReactElement {
  return (
    <>
      {words} {code !== "" && code !== words && <code className="muted">{code}</code>}
    </>
  );
}

function Codes({ codes }: { codes: readonly string[] }): ReactElement {
  return (
    <ul>
      {codes.map((code) => (
        <li key={code}>
          <code>{code}</code>
        </li>
      ))}
    </ul>
  );
}
