/** Erasure: it locks at once, waits, and can be taken back as long as nothing is destroyed. */
import { useState, type ReactElement } from "react";
import { api, body, type Schemas } from "../api/client";
import { queries, useErasures } from "../api/queries";
import { asMoment } from "../format/time";
import { texts } from "../texts";
import { Button, Card, Failure, Notice, Sheet, Tag, TextField } from "../ui/parts";
import { useActing } from "./acting";
import { useAttempt } from "../ui/useAttempt";

const PAGE = texts.more;

export function Erasures(): ReactElement {
  const { subject } = useActing();
  const erasures = useErasures(subject);
  const [asking, setAsking] = useState(false);
  const [requested, setRequested] = useState<Schemas["RequestedView"] | null>(null);
  const open = erasures.data?.some((one) => one.record_ids.length === 0 && one.state !== "cancelled") ?? true;
  return (
    <Card title={PAGE.erase}>
      <p className="muted">{PAGE.eraseLead}</p>
      {erasures.error !== null && <Failure error={erasures.error} retry={() => void erasures.refetch()} />}
      {requested !== null && (
        <Notice tone="warn" title={PAGE.eraseCode}>
          <p>
            <code>{requested.receipt_code}</code>
          </p>
          <p>{PAGE.eraseCodeNext}</p>
        </Notice>
      )}
      <ul className="lines">
        {erasures.data?.map((one) => (
          <Line key={one.erasure_id} erasure={one} />
        ))}
      </ul>
      {!open && (
        <div className="row">
          <Button look="danger" onClick={() => setAsking(true)}>
            {PAGE.eraseAll}
          </Button>
        </div>
      )}
      {asking && (
        <Confirm
          close={() => setAsking(false)}
          done={(view) => {
            setRequested(view);
            setAsking(false);
          }}
        />
      )}
    </Card>
  );
}

function Line({ erasure }: { erasure: Schemas["ErasureView"] }): ReactElement {
  const { error, run } = useAttempt();
  const cancel = (): Promise<void> =>
    run(async () => {
      const path = { erasure: erasure.erasure_id };
      await body(api.POST("/v1/erasures/{erasure}/cancel", { params: { path } }));
      await queries.invalidateQueries();
    });
  return (
    <li>
      <div className="access">
        <span>
          {erasure.record_ids.length === 0 ? PAGE.erasePerson : PAGE.eraseRecords(erasure.record_ids.length)}{" "}
          <Tag tone={erasure.state === "locked" ? "warn" : "plain"}>
            {PAGE.eraseStates[erasure.state] ?? erasure.state}
          </Tag>
        </span>
        <span className="row access-end">
          {erasure.due_at !== null && erasure.ended_at === null && (
            <span className="muted small">{PAGE.eraseDue(asMoment(erasure.due_at))}</span>
          )}
          {erasure.state === "locked" && <Button onClick={() => void cancel()}>{PAGE.eraseKeep}</Button>}
        </span>
      </div>
      {erasure.hold !== null && (
        <Notice tone="warn" title={PAGE.eraseHeld}>
          {erasure.hold.reason}
        </Notice>
      )}
      {error !== null && <Failure error={error} />}
    </li>
  );
}

interface ConfirmProps {
  close: () => void;
  done: (view: Schemas["RequestedView"]) => void;
}

function Confirm({ close, done }: ConfirmProps): ReactElement {
  const { subject } = useActing();
  const [typed, setTyped] = useState("");
  const { busy, error, run } = useAttempt();
  // One key for all tries of this sheet: a lost answer asks for the same erasure again.
  const [key] = useState(() => crypto.randomUUID());
  const erase = (): Promise<void> =>
    run(async () => {
      const header = { "Idempotency-Key": key };
      done(await body(api.POST("/v1/erasures", { params: { header }, body: { subject } })));
      await queries.invalidateQueries();
    });
  return (
    <Sheet title={PAGE.eraseTitle} close={close}>
      <p>{PAGE.eraseText}</p>
      <TextField label={PAGE.eraseType} autoComplete="off" value={typed} change={setTyped} />
      {error !== null && <Failure error={error} />}
      <div className="row">
        <Button
          look="danger"
          busy={busy}
          disabled={typed.trim().toLowerCase() !== PAGE.eraseWord}
          onClick={() => void erase()}
        >
          {PAGE.eraseNow}
        </Button>
        <Button onClick={close}>{texts.cancel}</Button>
      </div>
    </Sheet>
  );
}
