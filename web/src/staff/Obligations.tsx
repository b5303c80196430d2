/** What ended and has to be acted on: confirmed once it is done. */
import type { ReactElement } from "react";
import { api, body } from "../api/client";
import { queries, useObligations, type Notice as Told } from "../api/queries";
import { asMoment, shortId } from "../format/time";
import { texts } from "../texts";
import { Button, Empty, Failure, Heading, Tag, Fetching } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";

const PAGE = texts.staff.obligations;

export default function Obligations(): ReactElement {
  const obligations = useObligations();
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Fetching of={obligations} />
      {obligations.data?.length === 0 && (
        <section className="card">
          <Empty>{PAGE.none}</Empty>
        </section>
      )}
      {obligations.data !== undefined && obligations.data.length > 0 && (
        <ul className="card card-list">
          {obligations.data.map((one) => (
            <li key={one.notice_id}>
              <Line told={one} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Line({ told }: { told: Told }): ReactElement {
  const { busy, error, run } = useAttempt();
  const confirm = (): Promise<void> =>
    run(async () => {
      const path = { notice: told.notice_id };
      await body(api.POST("/v1/notices-of-revocation/{notice}/ack", { params: { path } }));
      await queries.invalidateQueries({ queryKey: ["obligations"] });
    });
  return (
    <div className="line line-tall">
      <span className="stack">
        <strong>{PAGE.reasons[told.reason] ?? told.reason}</strong>
        <span className="muted">
          <code>{shortId(told.subject)}</code>
          {told.acknowledge_by !== null && ` · ${PAGE.by(asMoment(told.acknowledge_by))}`}
        </span>
        {error !== null && <Failure error={error} />}
      </span>
      <span className="row">
        <Tag tone={told.state === "late" ? "bad" : told.acknowledged_at === null ? "warn" : "good"}>
          {PAGE.states[told.state] ?? told.state}
        </Tag>
        {told.acknowledged_at === null && (
          <Button busy={busy} onClick={() => void confirm()}>
            {PAGE.confirm}
          </Button>
        )}
      </span>
    </div>
  );
}
