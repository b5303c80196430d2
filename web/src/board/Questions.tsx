/** What the board asked the researcher, and the answers. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { asDay } from "../format/time";
import { board } from "../texts/board";
import { Button, Card, Failure, Form, Tag, TextArea } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import type { File } from "./commands";
import { changed } from "./queries";

const PAGE = board.questions;

export function Questions({ file }: { file: File }): ReactElement {
  return (
    <Card title={PAGE.title}>
      {file.questions.length === 0 ? (
        <p className="muted">{PAGE.none}</p>
      ) : (
        <ul className="lines board-items" aria-live="polite">
          {file.questions.map((one) => (
            <li key={one.number}>
              <strong>{one.text}</strong>
              {one.asked_at !== null && (
                <span className="muted small">{PAGE.asked(asDay(one.asked_at))}</span>
              )}
              {one.answered_at === null ? (
                <span>
                  <Tag tone="warn">{PAGE.open}</Tag>
                </span>
              ) : (
                <figure className="quote">
                  <blockquote>{one.answer}</blockquote>
                  <figcaption className="muted small">{PAGE.answered(asDay(one.answered_at))}</figcaption>
                </figure>
              )}
            </li>
          ))}
        </ul>
      )}
      {file.study.state === "proposed" && <Ask study={file.study.study_id} />}
    </Card>
  );
}

function Ask({ study }: { study: string }): ReactElement {
  const [text, setText] = useState("");
  const { busy, error, run } = useAttempt();
  const send = (): Promise<void> =>
    run(async () => {
      await changed(
        await body(
          api.POST("/v1/board/studies/{study}/questions", { params: { path: { study } }, body: { text } }),
        ),
      );
      setText("");
    });
  return (
    <details className="stack">
      <summary>{PAGE.ask}</summary>
      <Form className="stack board-opened" send={() => void send()}>
        <TextArea label={PAGE.label} hint={PAGE.hint} value={text} change={setText} />
        {error !== null && <Failure error={error} />}
        <div className="row">
          <Button submits busy={busy} disabled={text.trim() === ""}>
            {PAGE.send}
          </Button>
        </div>
      </Form>
    </details>
  );
}
