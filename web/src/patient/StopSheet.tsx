/** The second of the two clicks. */
import type { ReactElement } from "react";
import { texts } from "../texts";
import { SigningSheet } from "./SigningSheet";
import { useStop, type What } from "./useStop";

interface StopSheetProps {
  what: What;
  title: string;
  lead: string;
  close: () => void;
}

export function StopSheet({ what, title, lead, close }: StopSheetProps): ReactElement {
  const { stage, error, result, stop } = useStop();
  const done =
    result &&
    (result.block === null
      ? { title: texts.stop.inForce, next: texts.stop.inForceNext }
      : { title: texts.stop.onLedger(result.block), next: undefined });
  return (
    <SigningSheet
      title={title}
      signing={{ stage, error }}
      done={done}
      sign={() => stop(what)}
      label={texts.stop.confirm}
      look="danger"
      leave={texts.stop.keep}
      close={close}
    >
      <p>{lead}</p>
    </SigningSheet>
  );
}
