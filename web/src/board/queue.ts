/** Where each study belongs in the list, for whoever looks. */
import type { Schemas } from "../api/client";

export type Row = Schemas["RowView"];
export type Motion = Schemas["MotionView"];
type Board = Schemas["BoardView"];

export const GROUPS = ["sign", "prepare", "wait", "permitted", "suspended", "refused", "closed"] as const;
export type Group = (typeof GROUPS)[number];

/** Who looks: a member of the board by its id, null without a seat; the secretary prepares. */
export interface Looker {
  member: string | null;
  prepares: boolean;
}

const STATES: Record<string, Group> = {
  approved: "permitted",
  suspended: "suspended",
  refused: "refused",
  closed: "closed",
};

/** A study may be in two groups: one that is suspended, and whose resumption waits for one's signature. */
export function groupsOf(row: Row, { member, prepares }: Looker, board: Board): Group[] {
  const settled = STATES[row.state];
  const mine = member !== null && !row.recused.includes(member);
  const waiting = row.motions.filter((motion) => !isOnItsWay(motion, board));
  const asked = mine && waiting.some((motion) => !hasSigned(motion, member));
  if (settled !== undefined) {
    return asked ? ["sign", settled] : [settled];
  }
  const isReady =
    row.complete && row.open_questions === 0 && (row.decide_by !== null || board.threshold === 1);
  if (asked || (mine && isReady && waiting.length === 0 && row.motions.length === 0)) {
    return ["sign"];
  }
  return row.decide_by === null && prepares ? ["prepare"] : ["wait"];
}

export function isOnItsWay(motion: Motion, { threshold }: Pick<Board, "threshold">): boolean {
  return motion.signed_by.length >= threshold;
}

export function hasSigned(motion: Motion, member: string | null): boolean {
  return motion.signed_by.some((seat) => seat.member_id === member);
}
