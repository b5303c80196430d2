import type { ReactElement } from "react";
import { texts } from "../texts";
import { Notice } from "../ui/parts";
import { waitingWords } from "../wallet/waiting";
import type { SigningStage } from "../wallet/useTurn";

/** What is going on while something is drafted, signed and sent. */
export function SigningStatus({ stage }: { stage: SigningStage }): ReactElement | null {
  if (stage === "idle") {
    return null;
  }
  return (
    <Notice title={texts.wallet.stages[stage]}>{stage === "wallet" ? waitingWords() : undefined}</Notice>
  );
}
