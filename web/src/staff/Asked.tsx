/** What the organisation asked for, changing as patients answer. */
import type { ReactElement } from "react";
import { useRequests, useWords } from "../api/queries";
import { asDay, asList, shortId } from "../format/time";
import { texts } from "../texts";
import { Empty, Heading, Tag, Fetching } from "../ui/parts";

const PAGE = texts.staff.asked;

export default function Asked(): ReactElement {
  const requests = useRequests();
  const words = useWords();
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Fetching of={requests} />
      {requests.data?.length === 0 && (
        <section className="card">
          <Empty>{PAGE.none}</Empty>
        </section>
      )}
      {requests.data !== undefined && requests.data.length > 0 && (
        <>
          <ul className="card card-list" aria-live="polite">
            {requests.data.map((one) => (
              <li key={one.request_id} className="line">
                <span className="stack">
                  <strong>{asList(words("categories", one.categories))}</strong>
                  <span className="muted">
                    {texts.requests.purpose(asList(words("purposes", one.purposes)))}
                    {one.created_at !== null && `, ${PAGE.asked(asDay(one.created_at))}`} ·{" "}
                    <code>{shortId(one.subject)}</code>
                  </span>
                </span>
                <Tag tone={one.state === "granted" ? "good" : one.state === "requested" ? "warn" : "plain"}>
                  {PAGE.states[one.state] ?? one.state}
                </Tag>
              </li>
            ))}
          </ul>
          <p className="muted small">{PAGE.narrowed}</p>
        </>
      )}
    </>
  );
}
