/** Conditions of the permit: written before it is signed, part of what is signed, marked as met afterwards. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { asDay, dateOf, endOfDay } from "../format/time";
import { board } from "../texts/board";
import { Button, Card, Failure, Form, Notice, Tag, TextArea, TextField } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import type { File } from "./commands";
import { changed, useMe } from "./queries";
import { isOnItsWay } from "./queue";

const PAGE = board.conditions;
const MOST = 20;
type Condition = File["conditions"][number];

export function Conditions({ file }: { file: File }): ReactElement {
  const me = useMe();
  const isOpen = file.study.state === "proposed";
  const isPermitted = file.study.state === "approved" || file.study.state === "suspended";
  const permit = file.motions.find((one) => one.kind === "permit");
  return (
    <Card title={PAGE.title}>
      {file.conditions.length === 0 ? (
        <p className="muted">{isOpen ? PAGE.noneYet : PAGE.none}</p>
      ) : (
        <ol className="lines board-items">
          {file.conditions.map((condition, place) => (
            <li key={place}>
              <span>{condition.text}</span>
              <span className="row spread">
                <span className="muted small">
                  {condition.due === null ? PAGE.always : PAGE.due(asDay(condition.due))}
                </span>
                {!isOpen && <Standing condition={condition} />}
              </span>
              {isPermitted && me.prepares && condition.met_at == null && (
                <Met study={file.study.study_id} place={place} />
              )}
            </li>
          ))}
        </ol>
      )}
      {isOpen && (permit === undefined || !isOnItsWay(permit, file)) && (
        <details>
          <summary>{PAGE.edit}</summary>
          <Editor key={file.rules} file={file} signatures={permit?.signed_by.length ?? 0} />
        </details>
      )}
    </Card>
  );
}

function Standing({ condition }: { condition: Condition }): ReactElement {
  if (condition.met_at != null) {
    return <Tag tone="good">{PAGE.met(asDay(condition.met_at))}</Tag>;
  }
  return condition.overdue ? <Tag tone="bad">{PAGE.overdue}</Tag> : <Tag>{PAGE.open}</Tag>;
}

function Met({ study, place }: { study: string; place: number }): ReactElement {
  const { busy, error, run } = useAttempt();
  const mark = (): Promise<void> =>
    run(async () => {
      const path = { study, condition: place };
      await changed(
        await body(api.POST("/v1/board/studies/{study}/conditions/{condition}/met", { params: { path } })),
      );
    });
  return (
    <>
      <span>
        <Button busy={busy} onClick={() => void mark()}>
          {PAGE.markMet}
        </Button>
      </span>
      {error !== null && <Failure error={error} />}
    </>
  );
}

interface Written {
  text: string;
  day: string;
}

function Editor({ file, signatures }: { file: File; signatures: number }): ReactElement {
  const [written, write] = useState<Written[]>(() =>
    file.conditions.length === 0
      ? [{ text: "", day: "" }]
      : file.conditions.map(({ text, due }) => ({ text, day: due === null ? "" : dateOf(due) })),
  );
  const { busy, error, run } = useAttempt();
  const put = (place: number, change: Partial<Written>): void =>
    write(written.map((one, at) => (at === place ? { ...one, ...change } : one)));
  const keep = (): Promise<void> =>
    run(async () => {
      const conditions = written
        .filter(({ text }) => text.trim() !== "")
        .map(({ text, day }) => ({ text: text.trim(), due: day === "" ? null : wholeSecond(endOfDay(day)) }));
      await changed(
        await body(
          api.PUT("/v1/board/studies/{study}/conditions", {
            params: { path: { study: file.study.study_id } },
            body: { conditions },
          }),
        ),
      );
    });
  return (
    <Form className="stack board-opened" send={() => void keep()}>
      {written.map((one, place) => (
        <div key={place} className="board-condition">
          <TextArea label={PAGE.text(place + 1)} value={one.text} change={(text) => put(place, { text })} />
          <TextField
            label={PAGE.until(place + 1)}
            type="date"
            min={dateOf(new Date().toISOString())}
            value={one.day}
            change={(day) => put(place, { day })}
          />
          <div className="row">
            <Button
              look="quiet"
              aria-label={PAGE.remove(place + 1)}
              onClick={() => write(written.filter((_, at) => at !== place))}
            >
              {PAGE.remove(place + 1)}
            </Button>
          </div>
        </div>
      ))}
      {signatures > 0 && <Notice tone="warn">{PAGE.void(signatures)}</Notice>}
      {error !== null && <Failure error={error} />}
      <div className="row">
        {written.length < MOST && (
          <Button onClick={() => write([...written, { text: "", day: "" }])}>{PAGE.add}</Button>
        )}
        <Button look="primary" submits busy={busy}>
          {PAGE.save}
        </Button>
      </div>
    </Form>
  );
}

/** Conditions are signed to the second. */
function wholeSecond(iso: string): string {
  return iso.replace(/\.\d+Z$/, "Z");
}
