/** Whether an account, of a person or a system, is really to be closed, or opened again. */
import type { ReactElement } from "react";
import { texts } from "../texts";
import { Confirm } from "./Confirm";

const PAGE = texts.operator.accounts;

interface StateQuestionProps {
  name: string;
  disabled: boolean;
  close: () => void;
  run: () => Promise<void>;
}

export function StateQuestion({ name, disabled, close, run }: StateQuestionProps): ReactElement {
  return (
    <Confirm
      title={disabled ? `${PAGE.reopen}: ${name}` : PAGE.closeTitle(name)}
      text={disabled ? PAGE.reopenText : PAGE.closeText}
      act={disabled ? PAGE.reopen : PAGE.close}
      look={disabled ? "primary" : "danger"}
      close={close}
      run={run}
    />
  );
}
