/** Tells of something that was signed and did not get through. */
import { useState, type ReactElement } from "react";
import { queries } from "../api/queries";
import { deliver, discard, unsent } from "../session/outbox";
import { texts } from "../texts";
import { Button, Failure, Notice } from "../ui/parts";

export function Unsent(): ReactElement | null {
  const [waiting, setWaiting] = useState(unsent);
  const [state, setState] = useState<"waiting" | "sending" | "sent">("waiting");
  const [error, setError] = useState<unknown>(null);
  if (waiting === null) {
    return null;
  }
  const send = async (): Promise<void> => {
    setState("sending");
    setError(null);
    try {
      await deliver(waiting);
      setState("sent");
      await queries.invalidateQueries();
    } catch (failure) {
      setError(failure);
      setState("waiting");
    }
  };
  if (state === "sent") {
    return <Notice tone="good" title={texts.unsent.sent} />;
  }
  return (
    <Notice tone="warn" title={texts.unsent.title}>
      <p>{texts.unsent.next}</p>
      <div className="row">
        <Button look="primary" busy={state === "sending"} onClick={() => void send()}>
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
