/** What the board has before it, by what it waits for, and what became of what it decided. */
import { useState, type ReactElement } from "react";
import { Link } from "wouter";
import { asDay } from "../format/time";
import { texts } from "../texts";
import { board } from "../texts/board";
import { Icon } from "../ui/Icon";
import { Chip, Empty, Failure, Heading, Loading, Tag } from "../ui/parts";
import { useBoard, useMe, useRows, type Board } from "./queries";
import { GROUPS, groupsOf, type Group, type Row } from "./queue";
import { SeatNotice } from "./SeatNotice";

const PAGE = board.queue;

export default function Queue(): ReactElement {
  const rows = useRows();
  const members = useBoard();
  const me = useMe();
  const [picked, pick] = useState<Group | null>(null);
  const error = rows.error ?? members.error;
  const found = new Map<Group, Row[]>(GROUPS.map((group) => [group, []]));
  if (members.data !== undefined) {
    const looker = { member: me.seat?.member_id ?? null, prepares: me.prepares };
    for (const row of rows.data ?? []) {
      for (const group of groupsOf(row, looker, members.data)) {
        found.get(group)?.push(row);
      }
    }
  }
  const offered = GROUPS.filter(
    (one) => (one !== "sign" || me.decides) && (one !== "prepare" || me.prepares),
  );
  const group = picked ?? offered.find((one) => (found.get(one) ?? []).length > 0) ?? offered[0] ?? "wait";
  const shown = found.get(group) ?? [];
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.members} />
      <SeatNotice />
      {error !== null && (
        <Failure
          error={error}
          retry={() => {
            void rows.refetch();
            void members.refetch();
          }}
        />
      )}
      {error === null && (rows.isPending || members.isPending) && <Loading what={texts.loading} />}
      {rows.data !== undefined && members.data !== undefined && (
        <>
          <div className="row chips" role="group" aria-label={PAGE.title}>
            {offered.map((one) => (
              <Chip
                key={one}
                label={`${PAGE.groups[one]} · ${(found.get(one) ?? []).length}`}
                on={one === group}
                press={() => pick(one)}
              />
            ))}
          </div>
          {shown.length === 0 ? (
            <section className="card">
              <Empty>{PAGE.empty[group]}</Empty>
            </section>
          ) : (
            <ul className="card card-list" aria-live="polite">
              {shown.map((row) => (
                <li key={row.study_id}>
                  <Line row={row} members={members.data} />
                </li>
              ))}
            </ul>
          )}
        </>
      )}
    </>
  );
}

function Line({ row, members }: { row: Row; members: Board }): ReactElement {
  return (
    <Link href={`/board/studies/${row.study_id}`} className="line line-tall">
      <span className="stack">
        <strong>{row.title}</strong>
        <span className="muted">{factsOf(row, members).join(" · ")}</span>
      </span>
      <span className="row">
        {!row.complete && <Tag tone="warn">{PAGE.papers}</Tag>}
        {row.open_questions > 0 && <Tag tone="warn">{PAGE.questions(row.open_questions)}</Tag>}
        {row.overdue > 0 && <Tag tone="bad">{PAGE.overdue(row.overdue)}</Tag>}
        <Tag tone={toneOf(row.state)}>{board.states[row.state] ?? row.state}</Tag>
        <Icon name="chevron" size={18} />
      </span>
    </Link>
  );
}

function factsOf(row: Row, { threshold }: Board): string[] {
  const facts = row.motions.map((motion) =>
    PAGE.signed(board.decide.kinds[motion.kind] ?? motion.kind, motion.signed_by.length, threshold),
  );
  if (row.state === "proposed" && row.decide_by !== null) {
    const isLate = Date.parse(row.decide_by) < Date.now();
    facts.push(isLate ? PAGE.late(asDay(row.decide_by)) : PAGE.decideBy(asDay(row.decide_by)));
  }
  if (row.permit_ends !== null) {
    facts.push(PAGE.ends(asDay(row.permit_ends)));
  }
  if (row.runs > 0) {
    facts.push(PAGE.runs(row.runs));
  }
  if (row.amends !== null) {
    facts.push(PAGE.amendment);
  }
  return facts;
}

export function toneOf(state: string): "good" | "warn" | "bad" | "plain" {
  return state === "approved"
    ? "good"
    : state === "suspended"
      ? "bad"
      : state === "proposed"
        ? "warn"
        : "plain";
}
