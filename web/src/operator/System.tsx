/** How the service stands: first what needs somebody, then everything else. */
import type { ReactElement } from "react";
import { Link } from "wouter";
import { asBytes } from "../format/size";
import { asCount, asDay, asMoment, shortId } from "../format/time";
import { texts } from "../texts";
import { Card, Failure, Heading, Loading, Notice, Tag } from "../ui/parts";
import { Backup } from "./Backup";
import "./operator.css";
import { useOperations, useReady, useTenant, type Alarm, type Operations } from "./queries";

const PAGE = texts.operator.system;

export default function System(): ReactElement {
  const operations = useOperations();
  const found = operations.data;
  const isSilent = operations.error !== null;
  return (
    <>
      <Heading
        title={PAGE.title}
        lead={PAGE.lead}
        aside={
          found !== undefined &&
          found.at !== null && <span className="muted small numbers">{PAGE.at(asMoment(found.at))}</span>
        }
      />
      {operations.isPending && <Loading what={texts.loading} />}
      {isSilent && (
        <>
          <Failure error={operations.error} retry={() => void operations.refetch()} />
          <HealthCheck />
        </>
      )}
      {!isSilent && found !== undefined && (
        <>
          <Alarms alarms={found.alarms} at={found.at} />
          <div className="tiles">
            <Parts parts={found.parts} />
            <Ledger found={found} />
            <Queues queues={found.queues} />
            <Messages found={found.messages} />
            <Storage found={found} />
            <Keys keys={found.keys_due} />
          </div>
        </>
      )}
    </>
  );
}

/** For the time in which nothing else answers. */
function HealthCheck(): ReactElement | null {
  const ready = useReady(true);
  if (ready.data === undefined) {
    return null;
  }
  const away = Object.entries(ready.data.parts).filter(([, state]) => state !== "up");
  return (
    <>
      <p className="muted">{PAGE.silent}</p>
      {away.map(([part, state]) => (
        <Notice key={part} tone="bad" title={`${PAGE.part[part]?.[0] ?? part}: ${PAGE.away}`}>
          <p>{PAGE.part[part]?.[1]}</p>
          <p className="small muted">
            {PAGE.cause} <code>{state}</code>
          </p>
        </Notice>
      ))}
      <Parts parts={ready.data.parts} />
    </>
  );
}

function Alarms({ alarms, at }: { alarms: readonly Alarm[]; at: string | null }): ReactElement {
  if (alarms.length === 0) {
    return <Notice tone="good" title={PAGE.well} />;
  }
  return (
    <section className="stack" aria-label={PAGE.alarms}>
      {alarms.map((alarm) => (
        <AlarmCard key={`${alarm.code} ${alarm.subject ?? ""}`} alarm={alarm} at={at} />
      ))}
    </section>
  );
}

function AlarmCard({ alarm, at }: { alarm: Alarm; at: string | null }): ReactElement {
  const { code, severity, subject, count, due_at, cause, remedy } = alarm;
  const goTo = PAGE.goTo[code];
  const nameOf = useSubjects();
  const name = subject === null ? null : nameOf(subject);
  const more = [
    ...(count === null ? [] : [PAGE.count(count)]),
    ...(due_at === null ? [] : [PAGE[at !== null && due_at <= at ? "since" : "due"](asMoment(due_at))]),
  ];
  return (
    <div className={`notice notice-${severity === "now" ? "bad" : "warn"}`} role="alert">
      <div className="row spread">
        <strong>
          {PAGE.alarm[code]}
          {name !== null && `: ${name}`}
        </strong>
        <Tag tone={severity === "now" ? "bad" : "warn"}>{PAGE.severities[severity]}</Tag>
      </div>
      {more.length > 0 && <p className="small muted numbers">{more.join(" · ")}</p>}
      <p>{remedy}</p>
      {cause !== null && (
        <p className="small muted">
          {PAGE.cause} <code>{cause}</code>
        </p>
      )}
      {goTo !== undefined && (
        <p>
          <Link href={goTo[0]}>{goTo[1]}</Link>
        </p>
      )}
    </div>
  );
}

function Parts({ parts }: { parts: Operations["parts"] }): ReactElement {
  return (
    <Card title={PAGE.parts}>
      <ul className="lines">
        {Object.entries(parts).map(([part, state]) => (
          <li key={part} className="access">
            <span>{PAGE.part[part]?.[0] ?? part}</span>
            <Tag tone={state === "up" ? "good" : "bad"}>{state === "up" ? PAGE.up : PAGE.away}</Tag>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Ledger({ found }: { found: Operations }): ReactElement {
  const { chain, anchor } = found;
  return (
    <Card title={PAGE.ledger}>
      <dl className="facts numbers">
        <dt>{PAGE.head}</dt>
        <dd>
          {chain === null
            ? PAGE.unknown
            : PAGE.headAt(asCount(chain.head), chain.head_at === null ? "" : asMoment(chain.head_at))}
        </dd>
        {chain !== null && (
          <>
            <dt>{PAGE.lag}</dt>
            <dd>{PAGE.blocks(chain.head - chain.final)}</dd>
          </>
        )}
        <dt>{PAGE.log}</dt>
        <dd>{PAGE.entries(anchor.log_size)}</dd>
        <dt>{PAGE.waiting}</dt>
        <dd>{PAGE.entries(anchor.log_size - anchor.anchored_size)}</dd>
        <dt>{PAGE.anchored}</dt>
        <dd>{anchor.anchored_at === null ? "" : asMoment(anchor.anchored_at)}</dd>
      </dl>
    </Card>
  );
}

function Queues({ queues }: { queues: Operations["queues"] }): ReactElement {
  return (
    <Card title={PAGE.queues}>
      <p className="muted small">{PAGE.queuesLead}</p>
      {queues.length === 0 && <p>{PAGE.noQueues}</p>}
      <ul className="lines">
        {queues.map((queue) => (
          <li key={queue.kind} className="access">
            <span>
              <code>{queue.kind}</code>{" "}
              {queue.oldest_at !== null && (
                <span className="muted small">{PAGE.oldest(asMoment(queue.oldest_at))}</span>
              )}
            </span>
            <span className="row access-end numbers">
              {asCount(queue.waiting)}
              {queue.failing > 0 && <Tag tone="bad">{PAGE.failing(queue.failing)}</Tag>}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

const COUNTS = [
  "webhooks_waiting",
  "webhooks_dead",
  "mails_waiting",
  "mails_dead",
  "acknowledgements_late",
] as const;

function Messages({ found }: { found: Operations["messages"] }): ReactElement {
  return (
    <Card title={PAGE.messages}>
      {found === null ? (
        <p className="muted">{PAGE.unknown}</p>
      ) : (
        <dl className="facts numbers counts">
          {COUNTS.map((count) => (
            <div key={count}>
              <dt>{PAGE.message[count]}</dt>
              <dd>{asCount(found[count])}</dd>
            </div>
          ))}
        </dl>
      )}
    </Card>
  );
}

function Storage({ found }: { found: Operations }): ReactElement {
  const { storage } = found;
  return (
    <Card title={PAGE.storage}>
      <dl className="facts numbers">
        <dt>{PAGE.free}</dt>
        <dd>{asBytes(storage.free_bytes)}</dd>
        <dt>{PAGE.pins}</dt>
        <dd>{storage.pins === null ? PAGE.unknown : PAGE.pinned(storage.pins)}</dd>
      </dl>
      {found.backup_configured ? <Backup /> : <p className="muted">{PAGE.backup.none}</p>}
    </Card>
  );
}

/** A part by its name; a member without one, such as this hospital itself, by its id. */
function useSubjects(): (subject: string) => string {
  const tenant = useTenant();
  return (subject) =>
    subject === tenant ? texts.operator.members.self : (PAGE.part[subject]?.[0] ?? shortId(subject));
}

function Keys({ keys }: { keys: Operations["keys_due"] }): ReactElement {
  const nameOf = useSubjects();
  return (
    <Card title={PAGE.keys}>
      {keys.length === 0 && <p>{PAGE.noKeys}</p>}
      <ul className="lines">
        {keys.map((due) => (
          <li key={`${due.key} ${due.subject ?? ""} ${due.due_at ?? ""}`} className="access">
            <span>
              {PAGE.key[due.key as keyof typeof PAGE.key]}
              {due.subject !== null && <span className="muted"> · {nameOf(due.subject)}</span>}
            </span>
            <span className="muted small numbers">{due.due_at === null ? "" : asDay(due.due_at)}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
