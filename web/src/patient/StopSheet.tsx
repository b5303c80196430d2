/** The second of the two clicks. */
import type { ReactElement } from "react";
import { texts } from "../texts";
import { Button, Failure, Notice, Sheet } from "../ui/parts";
import { SigningStatus } from "./SigningStatus";
import { useStop, type What } from "./useStop";

interface StopSheetProps {
  what: What;
  title: string;
  lead: string;
  close: () => void;
}

export function StopSheet({ what, title, lead, close }: StopSheetProps): ReactElement {
  const { stage, error, result, stop } = useStop();
  if (result !== null) {
    return (
      <Sheet title={title} close={close}>
        <Notice
          tone="good"
          title={result.block === null ? texts.stop.inForce : texts.stop.onLedger(result.block)}
        >
          {result.block === null ? texts.stop.inForceNext : undefined}
        </Notice>
        <Button look="primary" onClick={close}>
          {texts.back}
        </Button>
      </Sheet>
    );
  }
  return (
    <Sheet title={title} close={close}>
      <p>{lead}</p>
      <SigningStatus stage={stage} />
      {error !== null && <Failure error={error} />}
      <div className="row">
        <Button look="danger" busy={stage !== "idle"} onClick={() => void stop(what)}>
          {texts.stop.confirm}
        </Button>
        <Button onClick={close}>{texts.stop.keep}</Button>
      </div>
    </Sheet>
  );
}
