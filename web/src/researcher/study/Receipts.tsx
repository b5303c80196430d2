/** What the study was charged: each charge with its place in the ledger that auditors check. */
import type { ReactElement } from "react";
import { researcher as texts } from "../../texts/researcher";
import { Card, Fetching } from "../../ui/parts";
import { useOwnBudget } from "../queries";
import { ReceiptTable } from "../Budget";
import type { PartProps } from "../StudyPage";

const PAGE = texts.receipts;

export function Receipts({ study }: PartProps): ReactElement {
  const own = useOwnBudget();
  return (
    <Card title={PAGE.title}>
      <p className="muted">{PAGE.lead}</p>
      <Fetching of={own} />
      {own.data !== undefined && (
        <ReceiptTable receipts={own.data.receipts.filter((receipt) => receipt.study_id === study.study_id)} />
      )}
    </Card>
  );
}
