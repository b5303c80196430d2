/** The papers of a proposal: saved only when their bytes are those that the proposal names. */
import { useState, type ReactElement } from "react";
import { sha256 } from "@noble/hashes/sha2";
import { api, body } from "../api/client";
import { asDay } from "../format/time";
import { toHex } from "../proof/bytes";
import { board } from "../texts/board";
import { save } from "../ui/download";
import { Icon } from "../ui/Icon";
import { Button, Card, Failure, Notice, Tag } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import type { File } from "./commands";

const PAGE = board.documents;
type Paper = File["documents"][number];

export function Papers({ file }: { file: File }): ReactElement {
  return (
    <Card title={PAGE.title}>
      {file.documents.length === 0 ? (
        <p className="muted">{PAGE.none}</p>
      ) : (
        <>
          <ul className="lines board-items">
            {file.documents.map((paper) => (
              <li key={paper.sha256}>
                <Line study={file.study.study_id} paper={paper} />
              </li>
            ))}
          </ul>
          <p className="muted small">{PAGE.logged}</p>
        </>
      )}
    </Card>
  );
}

function Line({ study, paper }: { study: string; paper: Paper }): ReactElement {
  const [isRight, setRight] = useState<boolean | null>(null);
  const { busy, error, run } = useAttempt();
  const fetchPaper = (): Promise<void> =>
    run(async () => {
      setRight(null);
      const path = { study, document: paper.sha256 };
      const content: Blob = await body(
        api.GET("/v1/studies/{study}/documents/{document}", { params: { path }, parseAs: "blob" }),
      );
      const digest = sha256(new Uint8Array(await content.arrayBuffer()));
      const same = `0x${toHex(digest)}` === paper.sha256;
      setRight(same);
      if (same) {
        save(content, nameOf(paper));
      }
    });
  return (
    <>
      <span className="row spread">
        <strong>{paper.name}</strong>
        {paper.stored_at === null ? (
          <Tag tone="warn">{PAGE.missing}</Tag>
        ) : (
          <Button busy={busy} onClick={() => void fetchPaper()}>
            <Icon name="down" size={18} />
            {PAGE.open}
          </Button>
        )}
      </span>
      <span className="muted small">
        {paper.stored_at !== null && `${PAGE.stored(asDay(paper.stored_at))} · `}
        <code>{paper.sha256}</code>
      </span>
      {error !== null && <Failure error={error} />}
      {isRight !== null && <Notice tone={isRight ? "good" : "bad"}>{isRight ? PAGE.good : PAGE.bad}</Notice>}
    </>
  );
}

function nameOf({ name, media_type }: Paper): string {
  const plain = name.replace(/[^\p{L}\p{N} ._-]/gu, "_");
  return `${plain}.${media_type === "application/pdf" ? "pdf" : "txt"}`;
}
