/** Who can see what, now; what changed lately; what asks for an answer. */
import { useState, type ReactElement } from "react";
import { Link } from "wouter";
import { useAccesses, useNames, useOverview, useRequests, useWords, type Overview } from "../api/queries";
import { asDay, asList } from "../format/time";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Button, Card, Empty, Failure, Heading, Loading, Notice, Fetching } from "../ui/parts";
import { AccessLine, useActor } from "./AccessLine";
import { useActing } from "./acting";
import { StopSheet } from "./StopSheet";
import type { What } from "./useStop";

type Row = Overview["rows"][number];
type Cell = Row["categories"][number];
interface Asking {
  what: What;
  title: string;
  lead: string;
}

const LATELY = 5;
const LOOKED_THROUGH = 50;
// One's own look at this page and at the list are in the list; here they would be all there is.
const OWN_LOOKS = new Set(["consent.read", "audit.read"]);

export default function Home(): ReactElement {
  const { subject, isSelf } = useActing();
  const overview = useOverview(subject);
  const [asking, setAsking] = useState<Asking | null>(null);
  const rows = overview.data?.rows ?? [];
  return (
    <>
      <Heading
        title={texts.home.title}
        lead={texts.home.lead}
        aside={
          isSelf &&
          rows.length > 0 && (
            <Button
              look="danger"
              onClick={() =>
                setAsking({ what: { subject }, title: texts.stop.allTitle, lead: texts.stop.allLead })
              }
            >
              {texts.home.stopAll}
            </Button>
          )
        }
      />
      <Waiting subject={subject} />
      <Fetching of={overview} />
      {overview.data !== undefined && rows.length === 0 && (
        <section className="card">
          <Empty>
            <h2>{texts.home.nobody}</h2>
            <p>{texts.home.nobodyNext}</p>
          </Empty>
        </section>
      )}
      {rows.length > 0 && <Matrix rows={rows} ask={setAsking} />}
      {overview.data !== undefined && overview.data.denies.length > 0 && (
        <Denies denies={overview.data.denies} />
      )}
      <Lately subject={subject} />
      <p className="muted small">{texts.later}</p>
      {asking !== null && <StopSheet {...asking} close={() => setAsking(null)} />}
    </>
  );
}

function Waiting({ subject }: { subject: string }): ReactElement | null {
  const requests = useRequests();
  const names = useNames();
  const words = useWords();
  const open = (requests.data ?? []).filter((one) => one.state === "requested" && one.subject === subject);
  if (open.length === 0) {
    return null;
  }
  return (
    <Notice title={texts.home.waiting(open.length)}>
      <ul className="links">
        {open.map((one) => (
          <li key={one.request_id}>
            <Link href={`/requests/${one.request_id}`}>
              {names(one.requester)}: {texts.requests.purpose(asList(words("purposes", one.purposes)))}
            </Link>
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function Matrix({ rows, ask }: { rows: readonly Row[]; ask: (asking: Asking) => void }): ReactElement {
  const words = useWords();
  const names = useNames();
  const who = ({ kind, grantee }: Row): string =>
    kind === "care_team" ? texts.home.team(names(grantee)) : names(grantee);
  // A column that nobody sees anything of says nothing; the line below the table does.
  const seen = rows.flatMap((row) => row.categories.filter((cell) => openness(cell) !== "none"));
  const categories = [...new Set(seen.map((cell) => cell.category))];
  return (
    <section className="card card-list matrix">
      <table>
        <caption className="visually-hidden">{texts.home.matrix}</caption>
        <thead>
          <tr>
            <th scope="col">{texts.home.who}</th>
            {categories.map((category) => (
              <th scope="col" key={category}>
                {words("categories", [category])[0]}
              </th>
            ))}
            <th scope="col">
              <span className="visually-hidden">{texts.stop.one}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const consents = [...new Set(row.categories.flatMap((cell) => cell.consents))];
            return (
              <tr key={`${row.grantee} ${row.purpose}`}>
                <th scope="row">
                  <strong>{who(row)}</strong>
                  <span className="muted small">
                    {texts.requests.purpose(words("purposes", [row.purpose])[0] ?? "")}
                  </span>
                </th>
                {categories.map((category) => {
                  const cell = row.categories.find((one) => one.category === category);
                  return (
                    <td
                      key={category}
                      data-label={words("categories", [category])[0]}
                      data-open={openness(cell)}
                    >
                      <CellSentence cell={cell} />
                    </td>
                  );
                })}
                <td className="actions">
                  {consents.map((consent_id) => (
                    <Button
                      key={consent_id}
                      look="quiet"
                      onClick={() =>
                        ask({
                          what: { consent_id },
                          title: texts.stop.oneTitle(who(row)),
                          lead: texts.stop.oneLead,
                        })
                      }
                    >
                      {texts.stop.one}
                    </Button>
                  ))}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p className="muted small matrix-rest">{texts.home.rest}</p>
    </section>
  );
}

function openness(cell: Cell | undefined): "all" | "some" | "none" {
  if (cell === undefined || (cell.open === 0 && !cell.covers_future)) {
    return "none";
  }
  return cell.open === cell.of ? "all" : "some";
}

function CellSentence({ cell }: { cell: Cell | undefined }): ReactElement {
  if (cell === undefined || openness(cell) === "none") {
    return <span className="muted">{texts.home.nothing}</span>;
  }
  return (
    <>
      <span>{sentenceOf(cell)}</span>
      {cell.covers_future && cell.of > 0 && <span className="muted small">{texts.home.future}</span>}
      {cell.until !== null && <span className="muted small">{texts.home.until(asDay(cell.until))}</span>}
    </>
  );
}

function sentenceOf({ open, of }: Cell): string {
  if (of === 0) {
    return texts.home.onlyFuture;
  }
  return open === of ? texts.home.all(of) : texts.home.some(open, of);
}

/** What is forbidden, from the moment that it was signed. */
function Denies({ denies }: { denies: Overview["denies"] }): ReactElement {
  const names = useNames();
  const words = useWords();
  return (
    <Card title={texts.home.denies}>
      <ul className="lines">
        {denies.map((one) => (
          <li key={one.consent_id}>
            <Link href={`/consents/${one.consent_id}`} className="access">
              <span>
                {one.grantee === null ? texts.home.everyone : names(one.grantee)}:{" "}
                {one.categories.length === 0
                  ? texts.home.everything
                  : asList(words("categories", one.categories))}
              </span>
              {one.until !== null && (
                <span className="muted small">{texts.home.until(asDay(one.until))}</span>
              )}
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Lately({ subject }: { subject: string }): ReactElement {
  const accesses = useAccesses(subject, LOOKED_THROUGH);
  const actor = useActor();
  const entries = (accesses.data?.pages[0]?.entries ?? [])
    .filter((one) => !(OWN_LOOKS.has(one.type ?? "") && actor(one) === texts.accesses.you))
    .slice(0, LATELY);
  return (
    <Card
      title={texts.home.lately}
      aside={
        <Link href="/accesses" className="row">
          {texts.home.all_accesses}
          <Icon name="chevron" size={16} />
        </Link>
      }
    >
      {accesses.isPending && <Loading what={texts.loading} />}
      {accesses.error !== null && <Failure error={accesses.error} />}
      {accesses.data !== undefined && entries.length === 0 && <Empty>{texts.accesses.none}</Empty>}
      <ul className="lines">
        {entries.map((entry) => (
          <li key={entry.index}>
            <AccessLine entry={entry} />
          </li>
        ))}
      </ul>
    </Card>
  );
}
