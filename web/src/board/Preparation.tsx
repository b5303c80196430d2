/** The secretary finds the file complete, names reviewers, and the day to decide by. */
import { useState, type ReactElement } from "react";
import { api, body } from "../api/client";
import { asDay, asList, dateOf, endOfDay, shortId } from "../format/time";
import { board } from "../texts/board";
import { Button, Card, Failure, Form, Notice, Switch, TextArea, TextField } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import type { File } from "./commands";
import { changed, useBoard, useMe } from "./queries";

const PAGE = board.prepare;
const DAY_MS = 86_400_000;
const USUAL_DAYS = 14;
const MOST_DAYS = 59;

export function Preparation({ file }: { file: File }): ReactElement | null {
  const me = useMe();
  const seats = useBoard().data?.members ?? [];
  const { preparation } = file;
  const prepares = me.prepares && file.study.state === "proposed";
  if (preparation === null && !prepares && file.threshold === 1) {
    return null; // a board of one needs none
  }
  const nameOf = (id: string): string => seats.find((seat) => seat.member_id === id)?.name ?? shortId(id);
  return (
    <Card title={PAGE.title}>
      {preparation === null ? (
        <p className="muted">{PAGE.notYet}</p>
      ) : (
        <dl className="facts">
          <dt>{PAGE.decideBy}</dt>
          <dd>{preparation.decide_by !== null && asDay(preparation.decide_by)}</dd>
          <dt>{PAGE.reviewers}</dt>
          <dd>{asList(preparation.reviewers.map(nameOf))}</dd>
          {preparation.remarks !== "" && (
            <>
              <dt>{PAGE.remarks}</dt>
              <dd>{preparation.remarks}</dd>
            </>
          )}
        </dl>
      )}
      {preparation?.prepared_at != null && (
        <p className="muted small">{PAGE.done(asDay(preparation.prepared_at))}</p>
      )}
      {prepares &&
        (!file.complete ? (
          <Notice tone="warn">{PAGE.incomplete}</Notice>
        ) : preparation === null ? (
          <Prepare file={file} />
        ) : (
          <details>
            <summary>{PAGE.again}</summary>
            <Prepare file={file} />
          </details>
        ))}
    </Card>
  );
}

function Prepare({ file }: { file: File }): ReactElement {
  const seats = useBoard().data?.members ?? [];
  const recused = new Set(file.recusals.map((one) => one.member_id));
  const able = seats.filter((seat) => !recused.has(seat.member_id));
  const [chosen, choose] = useState<ReadonlySet<string>>(() => new Set(file.preparation?.reviewers));
  const [day, setDay] = useState(() => inDays(USUAL_DAYS));
  const [remarks, setRemarks] = useState(file.preparation?.remarks ?? "");
  const [missing, setMissing] = useState(false);
  const { busy, error, run } = useAttempt();
  if (able.length === 0) {
    return (
      <Notice tone="warn" title={PAGE.noSeats}>
        {PAGE.noSeatsNext}
      </Notice>
    );
  }
  const toggle = (member: string, on: boolean): void => {
    const next = new Set(chosen);
    if (on) {
      next.add(member);
    } else {
      next.delete(member);
    }
    setMissing(false);
    choose(next);
  };
  const send = async (): Promise<void> => {
    const reviewers = able.map((seat) => seat.member_id).filter((member) => chosen.has(member));
    setMissing(reviewers.length === 0);
    if (reviewers.length === 0) {
      return;
    }
    await run(async () => {
      await changed(
        await body(
          api.POST("/v1/board/studies/{study}/preparation", {
            params: { path: { study: file.study.study_id } },
            body: { reviewers, decide_by: endOfDay(day), remarks },
          }),
        ),
      );
    });
  };
  return (
    <Form className="stack board-opened" send={() => void send()}>
      <fieldset className="field plain">
        <legend>{PAGE.reviewers}</legend>
        <div className="switches">
          {able.map((seat) => (
            <Switch
              key={seat.member_id}
              label={seat.name === "" ? shortId(seat.account) : seat.name}
              on={chosen.has(seat.member_id)}
              change={(on) => toggle(seat.member_id, on)}
            />
          ))}
        </div>
      </fieldset>
      <TextField
        label={PAGE.decideBy}
        type="date"
        min={inDays(0)}
        max={inDays(MOST_DAYS)}
        value={day}
        change={setDay}
      />
      <TextArea label={PAGE.remarks} hint={PAGE.remarksHint} value={remarks} change={setRemarks} />
      {missing && <Notice tone="warn">{PAGE.missing}</Notice>}
      {error !== null && <Failure error={error} />}
      <div className="row">
        <Button look="primary" submits busy={busy} disabled={day === ""}>
          {PAGE.send}
        </Button>
      </div>
    </Form>
  );
}

function inDays(days: number): string {
  return dateOf(new Date(Date.now() + days * DAY_MS).toISOString());
}
