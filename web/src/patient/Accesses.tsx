/** Who looked: every entry, newest first, loaded as one scrolls, each one provable in the page. */
import { useMemo, useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { useAccesses, useWords, type Access } from "../api/queries";
import { texts } from "../texts";
import { LongList } from "../ui/LongList";
import { Empty, Heading, Notice, Fetching } from "../ui/parts";
import { AccessLine, useActor } from "./AccessLine";
import { useActing } from "./acting";
import { ProofPanel } from "./ProofPanel";

const PAGE = texts.accesses;
const AT_ONCE = 200;
const LINE_PIXELS = 48;

interface Filter {
  who: string;
  type: string;
  purpose: string;
}
const ANY: Filter = { who: "", type: "", purpose: "" };

export default function Accesses(): ReactElement {
  const { subject } = useActing();
  const accesses = useAccesses(subject, AT_ONCE);
  const words = useWords();
  const actor = useActor();
  const [filter, setFilter] = useState(ANY);
  const pages = accesses.data?.pages;
  const entries = useMemo(() => pages?.flatMap((page) => page.entries) ?? [], [pages]);
  const shown = entries.filter(
    (one) =>
      (filter.who === "" || actor(one) === filter.who) &&
      (filter.type === "" || one.type === filter.type) &&
      (filter.purpose === "" || one.purpose === filter.purpose),
  );
  const gaps = pages?.[0]?.gaps ?? 0;
  const choices = (of: (entry: Access) => string | null): string[] =>
    [...new Set(entries.map(of).filter((one) => one !== null))].sort();

  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      {gaps > 0 && (
        <Notice tone="bad" title={PAGE.gaps(gaps)}>
          {PAGE.gapsNext}
        </Notice>
      )}
      <Fetching of={accesses} />
      {pages !== undefined && (
        <>
          <div className="filters">
            <Choice
              label={PAGE.filterWho}
              any={PAGE.everybody}
              value={filter.who}
              options={choices(actor).map((one) => [one, one])}
              choose={(who) => setFilter({ ...filter, who })}
            />
            <Choice
              label={PAGE.filterWhat}
              any={PAGE.everything}
              value={filter.type}
              options={choices((one) => one.type).map((one) => [one, PAGE.types[one] ?? one])}
              choose={(type) => setFilter({ ...filter, type })}
            />
            <Choice
              label={PAGE.filterPurpose}
              any={PAGE.everything}
              value={filter.purpose}
              options={choices((one) => one.purpose).map((one) => [one, words("purposes", [one])[0] ?? one])}
              choose={(purpose) => setFilter({ ...filter, purpose })}
            />
          </div>
          {shown.length === 0 ? (
            <section className="card">
              <Empty>{entries.length === 0 ? PAGE.none : PAGE.noneLike}</Empty>
            </section>
          ) : (
            <LongList
              items={shown}
              keyOf={(one) => one.index}
              pixels={LINE_PIXELS}
              more={
                accesses.hasNextPage && !accesses.isFetchingNextPage
                  ? () => void accesses.fetchNextPage()
                  : null
              }
              line={(one) => (
                <details className="entry">
                  <summary>
                    <AccessLine entry={one} />
                  </summary>
                  <ProofPanel
                    entry={one}
                    fetchBundle={() =>
                      body(
                        api.GET("/v1/accesses/{index}/proof", {
                          params: { path: { index: one.index }, query: { subject } },
                        }),
                      )
                    }
                  />
                </details>
              )}
            />
          )}
          <p className="muted small">
            {accesses.hasNextPage ? PAGE.more : PAGE.end} {PAGE.total(pages[0]?.total ?? entries.length)}
          </p>
        </>
      )}
    </>
  );
}

interface ChoiceProps {
  label: string;
  any: string;
  value: string;
  options: readonly (readonly [string, string])[];
  choose: (value: string) => void;
}

function Choice({ label, any, value, options, choose }: ChoiceProps): ReactElement {
  return (
    <label className="field small">
      <span>{label}</span>
      <select className="input" value={value} onChange={(event) => choose(event.target.value)}>
        <option value="">{any}</option>
        {options.map(([code, words]) => (
          <option key={code} value={code}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}
