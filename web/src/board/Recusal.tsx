/** Who takes no part in decisions on a study, and why; and taking no part oneself. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { asDay } from "../format/time";
import { board } from "../texts/board";
import { Button, Card } from "../ui/parts";
import type { File } from "./commands";
import { changed, useMe } from "./queries";
import { ReasonSheet } from "./ReasonSheet";

const PAGE = board.recuse;

export function Recusal({ file }: { file: File }): ReactElement | null {
  const me = useMe();
  const [asking, ask] = useState(false);
  const study = file.study.study_id;
  const isOver = file.study.state === "refused" || file.study.state === "closed";
  const may =
    me.seat !== null && !isOver && !file.recusals.some((one) => one.member_id === me.seat?.member_id);
  if (!may && file.recusals.length === 0) {
    return null;
  }
  return (
    <Card title={PAGE.title}>
      {file.recusals.length > 0 && (
        <ul className="lines board-items">
          {file.recusals.map((one) => (
            <li key={one.member_id}>
              <strong>{PAGE.line(one.name === "" ? board.history.someone : one.name)}</strong>
              <span>{one.reason}</span>
              {one.recused_at !== null && <span className="muted small">{asDay(one.recused_at)}</span>}
            </li>
          ))}
        </ul>
      )}
      {may && (
        <>
          <p className="muted">{PAGE.lead}</p>
          <div className="row">
            <Button onClick={() => ask(true)}>{PAGE.open}</Button>
          </div>
        </>
      )}
      {asking && (
        <ReasonSheet
          title={PAGE.ask}
          lead={PAGE.lead}
          label={PAGE.reason}
          hint={PAGE.hint}
          confirm={PAGE.confirm}
          close={() => ask(false)}
          send={async (reason) =>
            changed(
              await body(
                api.POST("/v1/board/studies/{study}/recusals", {
                  params: { path: { study } },
                  body: { reason },
                }),
              ),
            )
          }
        />
      )}
    </Card>
  );
}
