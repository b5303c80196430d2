/** The secretary ends a study for good. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { board } from "../texts/board";
import { Button, Card } from "../ui/parts";
import type { File } from "./commands";
import { changed, useMe } from "./queries";
import { ReasonSheet } from "./ReasonSheet";

const PAGE = board.close;
const OPEN: ReadonlySet<string> = new Set(["proposed", "approved", "suspended"]);

export function Closing({ file }: { file: File }): ReactElement | null {
  const me = useMe();
  const [asking, ask] = useState(false);
  const study = file.study.study_id;
  if (!me.prepares || !OPEN.has(file.study.state)) {
    return null;
  }
  return (
    <Card title={PAGE.title}>
      <p className="muted">{PAGE.lead}</p>
      <div className="row">
        <Button look="danger" onClick={() => ask(true)}>
          {PAGE.open}
        </Button>
      </div>
      {asking && (
        <ReasonSheet
          title={PAGE.ask}
          lead={PAGE.lead}
          label={PAGE.reason}
          confirm={PAGE.confirm}
          close={() => ask(false)}
          send={async (reason) =>
            changed(
              await body(
                api.POST("/v1/board/studies/{study}/closing", {
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
