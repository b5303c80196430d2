/** The log's entries, newest first: the system's, or everybody's by criteria; each one provable in the page. */
import { useState, type ReactElement } from "react";
import { useNames, useWords } from "../api/queries";
import { asMoment, shortId } from "../format/time";
import { texts } from "../texts";
import { audit } from "../texts/audit";
import { LongList } from "../ui/LongList";
import { Chip, Empty, Heading, Notice, Tag, Fetching } from "../ui/parts";
import { actorOf, typeWords, type Entry } from "./entries";
import { EntryDetail } from "./EntryDetail";
import { ANYTHING, type Criteria } from "./fhir";
import { Choice, Filters } from "./Filters";
import { useEverybodysEntries, useSystemEntries } from "./queries";

const PAGE = audit.log;
const LINE_PIXELS = 52;
type Source = keyof typeof PAGE.sources;

export default function Log(): ReactElement {
  const [source, setSource] = useState<Source>("system");
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <div className="row chips" role="group" aria-label={PAGE.title}>
        {(["system", "everybody"] as const).map((one) => (
          <Chip key={one} label={PAGE.sources[one]} on={one === source} press={() => setSource(one)} />
        ))}
      </div>
      {source === "system" ? <OfTheSystem /> : <OfEverybody />}
    </>
  );
}

function OfTheSystem(): ReactElement {
  const found = useSystemEntries(true);
  const [type, setType] = useState("");
  const [outcome, setOutcome] = useState("");
  const entries = found.data?.pages.flatMap((page) => page.entries) ?? [];
  const types = [...new Set(entries.flatMap((one) => one.type ?? []))];
  const outcomes = [...new Set(entries.flatMap((one) => one.outcome ?? []))];
  const shown = entries.filter(
    (one) => (type === "" || one.type === type) && (outcome === "" || one.outcome === outcome),
  );
  return (
    <>
      <p className="muted">{PAGE.systemLead}</p>
      <div className="filters">
        <Choice
          label={PAGE.type}
          value={type}
          choose={setType}
          options={types
            .map((one) => [one, typeWords(one)] as const)
            .sort(([, a], [, b]) => a.localeCompare(b))}
        />
        <Choice
          label={PAGE.outcome}
          value={outcome}
          choose={setOutcome}
          options={outcomes.map((one) => [one, PAGE.outcomes[one] ?? one] as const)}
        />
      </div>
      <Entries found={found} shown={shown} />
    </>
  );
}

function OfEverybody(): ReactElement {
  const [criteria, setCriteria] = useState<Criteria | null>(null);
  const found = useEverybodysEntries(criteria ?? ANYTHING, criteria !== null);
  return (
    <>
      <Notice>{PAGE.everybodyLead}</Notice>
      <Filters busy={found.isFetching} search={setCriteria} label={PAGE.search} />
      {criteria !== null && (
        <Entries found={found} shown={found.data?.pages.flatMap((page) => page.entries) ?? []} />
      )}
    </>
  );
}

interface EntriesProps {
  found: ReturnType<typeof useSystemEntries> | ReturnType<typeof useEverybodysEntries>;
  shown: readonly Entry[];
}

function Entries({ found, shown }: EntriesProps): ReactElement {
  // Kept here: a line that is scrolled away and back is another one of the document.
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const toggle = (index: number, on: boolean): void =>
    setOpened((before) => new Set([...before].filter((one) => one !== index).concat(on ? [index] : [])));
  const pages = found.data?.pages;
  const gaps = pages?.[0]?.gaps ?? 0;
  const damaged = pages?.reduce((sum, page) => sum + page.damaged, 0) ?? 0;
  const loaded = pages?.reduce((sum, page) => sum + page.entries.length, 0) ?? 0;
  const canGoOn = found.hasNextPage && !found.isFetchingNextPage;
  return (
    <>
      {gaps > 0 && (
        <Notice tone="bad" title={PAGE.gaps(gaps)}>
          {PAGE.gapsNext}
        </Notice>
      )}
      {damaged > 0 && (
        <Notice tone="bad" title={PAGE.damaged(damaged)}>
          {PAGE.damagedNext}
        </Notice>
      )}
      <Fetching of={found} />
      {pages !== undefined && (
        <>
          {shown.length === 0 && !found.hasNextPage ? (
            <section className="card">
              <Empty>{PAGE.none}</Empty>
            </section>
          ) : (
            <LongList
              items={shown}
              keyOf={(one) => one.index}
              pixels={LINE_PIXELS}
              more={canGoOn ? () => void found.fetchNextPage() : null}
              line={(one) => (
                <Line entry={one} isOpen={opened.has(one.index)} open={(on) => toggle(one.index, on)} />
              )}
            />
          )}
          <p className="muted small">
            {found.hasNextPage ? PAGE.more : PAGE.end} {PAGE.loaded(loaded)}
          </p>
        </>
      )}
    </>
  );
}

interface LineProps {
  entry: Entry;
  isOpen: boolean;
  open: (on: boolean) => void;
}

function Line({ entry, isOpen, open }: LineProps): ReactElement {
  return (
    <details className="entry" open={isOpen} onToggle={(event) => open(event.currentTarget.open)}>
      <summary>
        <Sentence entry={entry} />
      </summary>
      {isOpen && <EntryDetail entry={entry} />}
    </details>
  );
}

function Sentence({ entry }: { entry: Entry }): ReactElement {
  const names = useNames();
  const words = useWords();
  const { kind, id } = actorOf(entry);
  return (
    <div className="access">
      {entry.type === null ? (
        <span>{PAGE.damagedEntry}</span>
      ) : (
        <span>
          <span className="muted numbers">#{entry.index} </span>
          <strong>
            {entry.organisation === null ? kind : names(entry.organisation)}
            {entry.organisation === null && id !== "" && ` ${shortId(id)}`}
          </strong>{" "}
          {typeWords(entry.type)}
          {entry.purpose !== null && ` ${texts.accesses.for(words("purposes", [entry.purpose])[0] ?? "")}`}
        </span>
      )}
      <span className="row access-end">
        {entry.outcome !== null && entry.outcome !== "changed" && (
          <Tag tone={entry.outcome === "denied" ? "bad" : entry.outcome === "permitted" ? "good" : "warn"}>
            {PAGE.outcomes[entry.outcome] ?? entry.outcome}
          </Tag>
        )}
        <time className="muted small numbers" dateTime={entry.recorded_at}>
          {asMoment(entry.recorded_at)}
        </time>
      </span>
    </div>
  );
}
