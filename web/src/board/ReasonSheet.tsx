/** A question with a reason, asked once more before something that cannot be taken back. */
import { useState, type ReactElement } from "react";
import { texts } from "../texts";
import { Button, Failure, Sheet, TextArea } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";

interface ReasonSheetProps {
  title: string;
  lead: string;
  label: string;
  hint?: string;
  confirm: string;
  close: () => void;
  send: (reason: string) => Promise<void>;
}

export function ReasonSheet({
  title,
  lead,
  label,
  hint,
  confirm,
  close,
  send,
}: ReasonSheetProps): ReactElement {
  const [reason, setReason] = useState("");
  const { busy, error, run } = useAttempt();
  return (
    <Sheet title={title} close={close}>
      <p>{lead}</p>
      <TextArea label={label} {...(hint === undefined ? {} : { hint })} value={reason} change={setReason} />
      {error !== null && <Failure error={error} />}
      <div className="row">
        <Button
          look="danger"
          busy={busy}
          disabled={reason.trim() === ""}
          onClick={() =>
            void run(async () => {
              await send(reason.trim());
              close();
            })
          }
        >
          {confirm}
        </Button>
        <Button onClick={close}>{texts.cancel}</Button>
      </div>
    </Sheet>
  );
}
