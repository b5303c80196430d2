/** A list as long as it likes: only the lines in sight are in the document, and more come as one scrolls. */
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState, type ReactElement, type ReactNode } from "react";

const OVERSCAN = 12;
const AHEAD = 20; // lines before the end at which more is asked for

interface LongListProps<T> {
  items: readonly T[];
  keyOf: (item: T) => string | number;
  /** Of a line nobody has measured yet. */
  pixels: number;
  /** Fetches the next lines; null where there are none, or they are on their way. */
  more: (() => void) | null;
  line: (item: T) => ReactNode;
}

export function LongList<T>({ items, keyOf, pixels, more, line }: LongListProps<T>): ReactElement {
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  useEffect(() => setTop(list.current?.offsetTop ?? 0), []);
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => pixels,
    overscan: OVERSCAN,
    scrollMargin: top,
    getItemKey: (place) => {
      const item = items[place];
      return item === undefined ? place : keyOf(item);
    },
  });
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more !== null && last >= items.length - AHEAD) {
      more();
    }
  }, [more, last, items.length]);

  return (
    <ul ref={list} className="card card-list virtual" style={{ height: virtual.getTotalSize() }}>
      {rows.map((row) => {
        const item = items[row.index];
        return (
          item !== undefined && (
            <li
              key={row.key}
              ref={virtual.measureElement}
              data-index={row.index}
              aria-setsize={items.length}
              aria-posinset={row.index + 1}
              style={{ transform: `translateY(${row.start - top}px)` }}
            >
              {line(item)}
            </li>
          )
        );
      })}
    </ul>
  );
}
