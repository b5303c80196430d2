/** What may be seen now, under the constant mark that a list may be incomplete. */
import { useState, type ReactElement } from "react";
import { useGranted, useRecord, useWords } from "../api/queries";
import { asDay, asList } from "../format/time";
import { RecordContent } from "../record/RecordContent";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Button, Empty, Failure, Loading, Notice } from "../ui/parts";

const PAGE = texts.staff.granted;

interface GrantedProps {
  patientRef: string;
  purpose: string;
}

export function Granted({ patientRef, purpose }: GrantedProps): ReactElement {
  const granted = useGranted(patientRef, purpose);
  const words = useWords();
  const [opened, open] = useState<string | null>(null);
  if (opened !== null) {
    return <Opened record={opened} purpose={purpose} close={() => open(null)} />;
  }
  if (granted.data === undefined) {
    return granted.error === null ? (
      <Loading what={texts.loading} />
    ) : (
      <Failure error={granted.error} retry={() => void granted.refetch()} />
    );
  }
  const { records } = granted.data;
  return (
    <>
      <Notice>{PAGE.incomplete}</Notice>
      {records.length === 0 ? (
        <section className="card">
          <Empty>
            <p>{PAGE.none}</p>
            <p>{PAGE.noneNext}</p>
          </Empty>
        </section>
      ) : (
        <ul className="card card-list">
          {records.map((one) => (
            <li key={one.record_id}>
              <button type="button" className="line" onClick={() => open(one.record_id)}>
                <span className="stack">
                  <strong>{one.created_at === null ? texts.records.undated : asDay(one.created_at)}</strong>
                  <span className="muted">
                    {asList(
                      words("categories", [...new Set(one.segments.flatMap((part) => part.categories))]),
                    )}
                  </span>
                </span>
                <Icon name="chevron" size={18} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Opened({
  record,
  purpose,
  close,
}: {
  record: string;
  purpose: string;
  close: () => void;
}): ReactElement {
  const read = useRecord(record, purpose);
  const words = useWords();
  return (
    <>
      <div className="row">
        <Button onClick={close}>{PAGE.close}</Button>
      </div>
      {read.error !== null && <Failure error={read.error} retry={() => void read.refetch()} />}
      {read.isPending && <Loading what={texts.records.reading} />}
      {read.data !== undefined && read.data.obligations.length > 0 && (
        <Notice tone="warn" title={PAGE.obligations}>
          {asList(words("obligations", read.data.obligations))}
        </Notice>
      )}
      {read.data !== undefined && <RecordContent record={read.data} />}
    </>
  );
}
