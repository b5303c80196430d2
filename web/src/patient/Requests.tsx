import type { ReactElement } from "react";
import { Link } from "wouter";
import { useNames, useRequests, useWords, type Request } from "../api/queries";
import { asDay, asList } from "../format/time";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Empty, Heading, Tag, Fetching } from "../ui/parts";
import { useActing } from "./acting";

export default function Requests(): ReactElement {
  const { subject } = useActing();
  const requests = useRequests();
  const found = requests.data?.filter((one) => one.subject === subject) ?? [];
  const open = found.filter((one) => one.state === "requested");
  const answered = found.filter((one) => one.state !== "requested");
  return (
    <>
      <Heading title={texts.requests.title} lead={texts.requests.lead} />
      <Fetching of={requests} />
      {requests.data !== undefined && found.length === 0 && (
        <section className="card">
          <Empty>{texts.requests.none}</Empty>
        </section>
      )}
      <Listing title={texts.requests.open} requests={open} />
      <Listing title={texts.requests.answered} requests={answered} />
    </>
  );
}

function Listing({ title, requests }: { title: string; requests: readonly Request[] }): ReactElement | null {
  const names = useNames();
  const words = useWords();
  if (requests.length === 0) {
    return null;
  }
  return (
    <section className="stack" aria-label={title}>
      <h2>{title}</h2>
      <ul className="card card-list">
        {requests.map((one) => (
          <li key={one.request_id}>
            <Link href={`/requests/${one.request_id}`} className="line">
              <span className="stack">
                <strong>{names(one.requester)}</strong>
                <span className="muted">
                  {texts.requests.purpose(asList(words("purposes", one.purposes)))}
                  {one.not_after !== null && `, ${texts.home.until(asDay(one.not_after))}`}
                </span>
              </span>
              <span className="row">
                <Tag tone={one.state === "requested" ? "warn" : one.state === "granted" ? "good" : "plain"}>
                  {texts.requests.states[one.state] ?? one.state}
                </Tag>
                <Icon name="chevron" size={18} />
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
