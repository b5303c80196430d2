import type { ReactElement } from "react";
import { researcher as texts } from "../../texts/researcher";
import { Notice } from "../../ui/parts";
import { ProposalFacts } from "../ProposalFacts";
import { useMoney } from "../queries";
import { proposalOf } from "./draft";
import { files } from "./keeping";
import type { StepProps } from "./Wizard";

const STEP = texts.wizard.review;

/** Everything once more, as the board will read it. */
export function ReviewStep({ draft }: StepProps): ReactElement {
  const money = useMoney();
  const lost = draft.papers.filter(({ sha256 }) => !files.has(sha256) && !draft.carried.includes(sha256));
  const dated = draft.from !== "" && draft.until !== "";
  return (
    <>
      {dated && <ProposalFacts proposal={proposalOf(draft, money.data?.token ?? null)} />}
      {lost.length > 0 && <Notice>{STEP.uploadLater(lost.length)}</Notice>}
      <Notice>{STEP.signed}</Notice>
    </>
  );
}
