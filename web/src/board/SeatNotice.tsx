/** Tells a member without a wallet, or with one that is not registered, before anything is to be signed. */
import type { ReactElement } from "react";
import { Link } from "wouter";
import { board } from "../texts/board";
import { Notice } from "../ui/parts";
import { useBoard, useMe } from "./queries";

const PAGE = board.seat;

export function SeatNotice(): ReactElement | null {
  const members = useBoard();
  const me = useMe();
  if (!me.decides || members.data === undefined || me.seat !== null) {
    return null;
  }
  return (
    <Notice tone="warn" title={me.account === null ? PAGE.none : PAGE.notSeated}>
      <p>{me.account === null ? PAGE.noneNext : PAGE.notSeatedNext}</p>
      <p>
        <Link href="/board/seat">{PAGE.toSeat}</Link>
      </p>
    </Notice>
  );
}
