import type { ReactElement } from "react";
import { Link } from "wouter";
import { useConsents, useNames, type Consent } from "../api/queries";
import { asDay } from "../format/time";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Empty, Heading, Tag, Fetching } from "../ui/parts";
import { useActing } from "./acting";

const PAGE = texts.consents;

export default function Consents(): ReactElement {
  const { subject } = useActing();
  const consents = useConsents(subject);
  const names = useNames();
  const found = [...(consents.data ?? [])].sort((one, other) =>
    (other.received_at ?? "").localeCompare(one.received_at ?? ""),
  );
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Fetching of={consents} />
      {consents.data !== undefined && found.length === 0 && (
        <section className="card">
          <Empty>{PAGE.none}</Empty>
        </section>
      )}
      {found.length > 0 && (
        <ul className="card card-list">
          {found.map((one) => (
            <li key={one.consent_id}>
              <Link href={`/consents/${one.consent_id}`} className="line">
                <span className="stack">
                  <strong>
                    {PAGE.kinds[one.kind] ?? one.kind}: {names(granteeOf(one))}
                  </strong>
                  <span className="muted">{one.not_after !== null && PAGE.ends(asDay(one.not_after))}</span>
                </span>
                <span className="row">
                  <StateTag state={one.state} />
                  <Icon name="chevron" size={18} />
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

export function StateTag({ state }: { state: string }): ReactElement {
  const tone = state === "live" ? "good" : state === "pending" || state === "suspended" ? "warn" : "plain";
  return <Tag tone={tone}>{PAGE.states[state] ?? state}</Tag>;
}

/** Whom a consent or a power of attorney is given to, from the message that was signed. */
export function granteeOf({ message }: Consent): string | null {
  const terms = (message.terms ?? {}) as Record<string, unknown>;
  const id = terms.grantee ?? terms.delegate ?? message.delegate;
  return typeof id === "string" ? id : null;
}
