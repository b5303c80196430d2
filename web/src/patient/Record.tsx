import type { ReactElement } from "react";
import { ownPurpose, useRecord } from "../api/queries";
import { RecordContent } from "../record/RecordContent";
import { texts } from "../texts";
import { Failure, Loading } from "../ui/parts";
import { useActing } from "./acting";

export default function Record({ id }: { id: string }): ReactElement {
  const { isSelf } = useActing();
  const record = useRecord(id, ownPurpose(isSelf));
  if (record.data === undefined) {
    return record.error === null ? (
      <Loading what={texts.records.reading} />
    ) : (
      <Failure error={record.error} retry={() => void record.refetch()} />
    );
  }
  return <RecordContent record={record.data} />;
}
