/** What is stored of the patient, newest first. */
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState, type ReactElement } from "react";
import { Link } from "wouter";
import { useRecords, useWords, type StoredRecord } from "../api/queries";
import { asDay, asList } from "../format/time";
import { texts } from "../texts";
import { Icon } from "../ui/Icon";
import { Empty, Failure, Heading, Loading } from "../ui/parts";
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
      {records.error !== null && <Failure error={records.error} retry={() => void records.refetch()} />}
      {records.isPending && <Loading what={texts.loading} />}
      {records.data !== undefined && found.length === 0 && (
        <section className="card">
          <Empty>{PAGE.none}</Empty>
        </section>
      )}
      {found.length > 0 && (
        <Lines
          records={found}
          more={
            records.hasNextPage && !records.isFetchingNextPage ? () => void records.fetchNextPage() : null
          }
        />
      )}
    </>
  );
}

function Lines({
  records,
  more,
}: {
  records: readonly StoredRecord[];
  more: (() => void) | null;
}): ReactElement {
  const words = useWords();
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  useEffect(() => setTop(list.current?.offsetTop ?? 0), []);
  const virtual = useWindowVirtualizer({
    count: records.length,
    estimateSize: () => LINE_PIXELS,
    overscan: 10,
    scrollMargin: top,
  });
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more !== null && last >= records.length - 10) {
      more();
    }
  }, [more, last, records.length]);
  return (
    <ul ref={list} className="card card-list virtual" style={{ height: virtual.getTotalSize() }}>
      {rows.map((row) => {
        const one = records[row.index];
        const codes = [...new Set(one?.segments.flatMap((segment) => segment.categories))];
        return (
          one !== undefined && (
            <li
              key={row.key}
              ref={virtual.measureElement}
              data-index={row.index}
              aria-setsize={records.length}
              aria-posinset={row.index + 1}
              style={{ transform: `translateY(${row.start - top}px)` }}
            >
              <Link href={`/records/${one.record_id}`} className="line">
                <span className="stack">
                  <strong>{one.created_at === null ? PAGE.undated : asDay(one.created_at)}</strong>
                  <span className="muted clipped">{asList(words("categories", codes))}</span>
                </span>
                <Icon name="chevron" size={18} />
              </Link>
            </li>
          )
        );
      })}
    </ul>
  );
}
