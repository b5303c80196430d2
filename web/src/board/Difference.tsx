/** What a new version changes, and what the versions before it spent. */
import type { ReactElement } from "react";
import { Link } from "wouter";
import { board } from "../texts/board";
import { Card } from "../ui/parts";
import type { File } from "./commands";

const PAGE = board.difference;

export function Difference({ file }: { file: File }): ReactElement | null {
  const { amends, version, changes } = file.difference;
  if (amends === null) {
    return null;
  }
  return (
    <Card title={PAGE.title}>
      {version === "renewal" && <p>{PAGE.renewal}</p>}
      {changes.length === 0 && <p>{PAGE.none}</p>}
      <ul className="lines board-items">
        {changes.map((change) => (
          <li key={change.member} className="board-change">
            <strong>{PAGE.members[change.member] ?? change.member}</strong>
            <span>
              <span className="muted small">{PAGE.before} </span>
              <del>{change.before === "" ? PAGE.nothing : change.before}</del>
            </span>
            <span>
              <span className="muted small">{PAGE.after} </span>
              <ins>{change.after === "" ? PAGE.nothing : change.after}</ins>
            </span>
          </li>
        ))}
      </ul>
      <h3>{PAGE.versions}</h3>
      <ul className="lines board-items">
        {file.versions_before.map((before) => (
          <li key={before.study_id}>
            <Link href={`/board/studies/${before.study_id}`}>{before.title}</Link>
            <span className="muted small">
              {board.states[before.state] ?? before.state} · {PAGE.spent(before.epsilon_spent)}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
