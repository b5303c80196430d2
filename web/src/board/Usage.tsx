/** What a study used: its privacy budget, its runs, what was released. */
import type { ReactElement } from "react";
import { asMoment } from "../format/time";
import { board } from "../texts/board";
import { Card } from "../ui/parts";
import type { File } from "./commands";

const PAGE = board.usage;

export function Usage({ file }: { file: File }): ReactElement | null {
  const { usage } = file;
  if (file.study.state === "proposed" && Number(usage.epsilon_in_all) === 0) {
    return null;
  }
  const spent = PAGE.spent(usage.epsilon_in_all, usage.epsilon_limit);
  return (
    <Card title={PAGE.title}>
      <div className="board-tally">
        <progress
          max={Number(usage.epsilon_limit)}
          value={Number(usage.epsilon_in_all)}
          aria-label={PAGE.budget}
        />
        <span className="numbers">{spent}</span>
      </div>
      {usage.runs.length === 0 ? (
        <p className="muted">{PAGE.none}</p>
      ) : (
        <ul className="lines board-items">
          {usage.runs.map((run) => (
            <li key={run.run}>
              {run.at !== null && <span>{asMoment(run.at)}</span>}
              <span className="muted small">
                {PAGE.run} <code>{run.result}</code>
              </span>
              {run.table !== null && (
                <span className="muted small">
                  {PAGE.table} <code>{run.table}</code>
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
      {usage.releases > 0 && <p className="muted small">{PAGE.releases(usage.releases)}</p>}
    </Card>
  );
}
