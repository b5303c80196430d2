/** What is stored of the patient, newest first. */
import type { ReactElement } from "react";
import { Link } from "wouter";
import { useRecords, useWords, type StoredRecord } from "../api/queries";
import { asDay, asList } from "../format/time";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { LongList } from "../ui/LongList";
import { Empty, Heading, Fetching } from "../ui/parts";
import { useActing } from "./acting";

const PAGE = texts.records;
const LINE_PIXELS = 76;

export default function Records(): ReactElement {
  const { subject, isSelf } = useActing();
  const records = useRecords(subject, isSelf);
  const found = records.data?.pages.flatMap((page) => page.records) ?? [];
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      <Fetching of={records} />
      {records.data !== undefined && found.length === 0 && (
        <section className="card">
          <Empty>{PAGE.none}</Empty>
        </section>
      )}
      {found.length > 0 && (
        <LongList
          items={found}
          keyOf={(one) => one.record_id}
          pixels={LINE_PIXELS}
          more={
            records.hasNextPage && !records.isFetchingNextPage ? () => void records.fetchNextPage() : null
          }
          line={(one) => <Line record={one} />}
        />
      )}
    </>
  );
}

function Line({ record }: { record: StoredRecord }): ReactElement {
  const words = useWords();
  const codes = [...new Set(record.segments.flatMap((segment) => segment.categories))];
  return (
    <Link href={`/records/${record.record_id}`} className="line">
      <span className="stack">
        <strong>{record.created_at === null ? PAGE.undated : asDay(record.created_at)}</strong>
        <span className="muted clipped">{asList(words("categories", codes))}</span>
      </span>
      <Icon name="chevron" size={18} />
    </Link>
  );
}
