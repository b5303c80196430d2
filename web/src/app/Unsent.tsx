/** Tells of something that was signed and did not get through. */
import { useState, type ReactElement } from "react";
import { queries } from "../api/queries";
import { deliver, discard, unsent } from "../session/outbox";
import { texts } from "../texts";
import { Button, Failure, Notice } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";

export function Unsent(): ReactElement | null {
  const [waiting, setWaiting] = useState(unsent);
  const [sent, setSent] = useState(false);
  const { busy, error, run } = useAttempt();
  if (waiting === null) {
    return null;
  }
  const send = (): Promise<void> =>
    run(async () => {
      await deliver(waiting);
      setSent(true);
      await queries.invalidateQueries();
    });
  if (sent) {
    return <Notice tone="good" title={texts.unsent.sent} />;
  }
  return (
    <Notice tone="warn" title={texts.unsent.title}>
      <p>{texts.unsent.next}</p>
      <div className="row">
        <Button look="primary" busy={busy} onClick={() => void send()}>
          {texts.unsent.send}
        </Button>
        <Button
          onClick={() => {
            discard();
            setWaiting(null);
          }}
        >
          {texts.unsent.discard}
        </Button>
      </div>
      {error !== null && <Failure error={error} />}
    </Notice>
  );
}
