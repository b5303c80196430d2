import type { ReactElement } from "react";
import { texts } from "../texts";
import { Failure, Notice } from "../ui/parts";
import type { SigningStage } from "../wallet/useTurn";
import { waitingWords } from "../wallet/waiting";

export interface Going {
  stage: SigningStage;
  error: unknown;
}

/** What is going on while something is drafted, signed and sent, and what that failed with. */
export function SigningStatus({ of: { stage, error } }: { of: Going }): ReactElement {
  return (
    <>
      {stage !== "idle" && (
        <Notice title={texts.wallet.stages[stage]}>{stage === "wallet" ? waitingWords() : undefined}</Notice>
      )}
      {error !== null && <Failure error={error} />}
    </>
  );
}
