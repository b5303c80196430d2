/** What the study was charged: each charge with its place in the ledger that auditors check. */
import type { ReactElement } from "react";
import { texts as common } from "../../texts";
import { researcher as texts } from "../../texts/researcher";
import { Card, Failure, Loading } from "../../ui/parts";
import { useOwnBudget } from "../queries";
import { ReceiptTable } from "../Budget";
import type { PartProps } from "../StudyPage";

const PAGE = texts.receipts;

export function Receipts({ study }: PartProps): ReactElement {
  const own = useOwnBudget();
  return (
    <Card title={PAGE.title}>
      <p className="muted">{PAGE.lead}</p>
      {own.error !== null && <Failure error={own.error} retry={() => void own.refetch()} />}
      {own.isPending && <Loading what={common.loading} />}
      {own.data !== undefined && (
        <ReceiptTable receipts={own.data.receipts.filter((receipt) => receipt.study_id === study.study_id)} />
      )}
    </Card>
  );
}
