/** What a record holds, by kind, with charts where there is something to draw. */
import { useMemo, useState, type ReactElement } from "react";
import type { StoredRecord } from "../api/queries";
import { groupOf, resourcesIn, shownOf, type Group, type Shown } from "../fhir/display";
import { asDay } from "../format/time";
import { texts } from "../texts";
import { Card, Chip, Heading, Notice, Tag } from "../ui/parts";
import { Chart } from "./Chart";

const PAGE = texts.records;
const ORDER: readonly Group[] = [
  "conditions",
  "allergies",
  "medications",
  "results",
  "vitals",
  "vaccinations",
  "procedures",
  "visits",
  "documents",
  "person",
  "other",
];

export function RecordContent({ record }: { record: StoredRecord }): ReactElement {
  const [chosen, choose] = useState<Group | null>(null);
  const { groups, elsewhere } = useMemo(() => grouped(record), [record]);
  const present = ORDER.filter((group) => groups.has(group));
  return (
    <>
      <Heading
        title={record.created_at === null ? PAGE.undated : PAGE.of(asDay(record.created_at))}
        lead={PAGE.note}
      />
      {elsewhere > 0 && <Notice>{PAGE.elsewhere(elsewhere)}</Notice>}
      <div className="row chips" role="group" aria-label={PAGE.show}>
        <Chip label={PAGE.everything} on={chosen === null} press={() => choose(null)} />
        {present.map((group) => (
          <Chip
            key={group}
            label={`${PAGE.groups[group]} (${groups.get(group)?.length ?? 0})`}
            on={chosen === group}
            press={() => choose(group)}
          />
        ))}
      </div>
      {present
        .filter((group) => chosen === null || chosen === group)
        .map((group) => (
          <Card key={group} title={PAGE.groups[group]}>
            {group === "results" || group === "vitals" ? (
              <Measurements shown={groups.get(group) ?? []} />
            ) : (
              <Lines shown={groups.get(group) ?? []} />
            )}
          </Card>
        ))}
    </>
  );
}

/** Observations of one kind together: the newest value, and a chart where there are several. */
function Measurements({ shown }: { shown: readonly Shown[] }): ReactElement {
  const kinds = new Map<string, Shown[]>();
  for (const one of shown) {
    kinds.set(one.what, [...(kinds.get(one.what) ?? []), one]);
  }
  return (
    <ul className="lines">
      {[...kinds].map(([what, of]) => {
        const drawable = of.filter((one) => one.measured !== null && one.when !== null);
        return (
          <li key={what} className="measurement">
            {drawable.length > 1 ? (
              <>
                <Line shown={of[0]} />
                <Chart shown={drawable} what={what} />
                <details>
                  <summary>{PAGE.every(of.length)}</summary>
                  <Lines shown={of} />
                </details>
              </>
            ) : (
              of.map((one, number) => <Line key={number} shown={one} />)
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Lines({ shown }: { shown: readonly Shown[] }): ReactElement {
  return (
    <ul className="lines">
      {shown.map((one, number) => (
        <li key={number}>
          <Line shown={one} />
        </li>
      ))}
    </ul>
  );
}

function Line({ shown }: { shown: Shown | undefined }): ReactElement | null {
  const [raw, setRaw] = useState(false);
  if (shown === undefined) {
    return null;
  }
  const { what, when, value, measured, flag, resource } = shown;
  const range = measured === null ? "" : rangeOf(measured.low, measured.high);
  return (
    <div className="resource">
      <div className="access">
        <span>
          <strong>{what}</strong> <span className="numbers">{value}</span>{" "}
          {flag !== "" && flag !== "N" && <Tag tone="warn">{PAGE.flags[flag] ?? flag}</Tag>}
          {range !== "" && <span className="muted small"> {range}</span>}
        </span>
        <span className="row access-end">
          {when !== null && (
            <time className="muted small numbers" dateTime={when}>
              {when.length <= 7 ? when : asDay(when)}
            </time>
          )}
          <button type="button" className="raw small" aria-expanded={raw} onClick={() => setRaw(!raw)}>
            {PAGE.raw}
            <span className="visually-hidden"> {what}</span>
          </button>
        </span>
      </div>
      {raw && (
        <pre className="json" tabIndex={0}>
          {JSON.stringify(resource, null, 2)}
        </pre>
      )}
    </div>
  );
}

function rangeOf(low: number | null, high: number | null): string {
  if (low !== null && high !== null) {
    return PAGE.usual(`${low}–${high}`);
  }
  if (low !== null) {
    return PAGE.usual(`≥ ${low}`);
  }
  return high === null ? "" : PAGE.usual(`≤ ${high}`);
}

/** What the record holds by kind, newest first, and how many parts cannot be shown here. */
function grouped(record: StoredRecord): { groups: Map<Group, Shown[]>; elsewhere: number } {
  const groups = new Map<Group, Shown[]>();
  let elsewhere = 0;
  for (const segment of record.segments) {
    if (segment.content === null || segment.content === undefined || !segment.media_type.includes("json")) {
      elsewhere += 1;
      continue;
    }
    for (const resource of resourcesIn(decoded(segment.content))) {
      const group = groupOf(resource);
      groups.set(group, [...(groups.get(group) ?? []), shownOf(resource)]);
    }
  }
  for (const shown of groups.values()) {
    shown.sort((one, other) => (other.when ?? "").localeCompare(one.when ?? ""));
  }
  return { groups, elsewhere };
}

function decoded(base64: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
}
