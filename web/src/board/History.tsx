/** What the board decided, who signed, where the ledger has it, and the letter. */
import type { ReactElement } from "react";
import { api, body } from "../api/client";
import { asList, asMoment } from "../format/time";
import { board } from "../texts/board";
import { save } from "../ui/download";
import { Icon } from "../ui/Icon";
import { Button, Card, Failure, Tag } from "../ui/parts";
import { useAttempt } from "../ui/useAttempt";
import type { File } from "./commands";

const PAGE = board.history;
type Decision = File["decisions"][number];

export function History({ file }: { file: File }): ReactElement {
  const hasLetter = file.decisions.some(({ kind }) => kind === "permit" || kind === "refuse");
  return (
    <Card title={PAGE.title} aside={file.chain !== null && <ChainTag chain={file.chain} />}>
      {file.decisions.length === 0 ? (
        <p className="muted">{PAGE.none}</p>
      ) : (
        <ol className="lines board-items" aria-live="polite">
          {file.decisions.map((decision) => (
            <li key={`${decision.kind}-${decision.number}`}>
              <Line decision={decision} />
            </li>
          ))}
        </ol>
      )}
      {file.study.state === "closed" && <p>{PAGE.closed(file.study.reason)}</p>}
      {hasLetter && <Letter study={file.study.study_id} />}
    </Card>
  );
}

function ChainTag({ chain }: { chain: NonNullable<File["chain"]> }): ReactElement {
  const state = chain.revoked ? "revoked" : chain.suspended ? "suspended" : "live";
  return (
    <Tag tone={state === "live" ? "good" : "bad"}>
      <span className="visually-hidden">{PAGE.chain}: </span>
      {PAGE.chainStates[state]}
    </Tag>
  );
}

function Line({ decision }: { decision: Decision }): ReactElement {
  const names = decision.signed_by.map(({ name }) => (name === "" ? PAGE.someone : name));
  return (
    <>
      <span>
        <strong>{PAGE.kinds[decision.kind] ?? decision.kind}</strong> {PAGE.by(asList(names))}
        {decision.conditions.length > 0 && `, ${PAGE.conditions(decision.conditions.length)}`}
      </span>
      {decision.reason !== "" && <span>{PAGE.reason(decision.reason)}</span>}
      <span className="muted small">
        {decision.decided_at !== null && `${asMoment(decision.decided_at)} · `}
        {decision.block === null ? PAGE.coming : PAGE.block(decision.block)}
      </span>
    </>
  );
}

function Letter({ study }: { study: string }): ReactElement {
  const { busy, error, run } = useAttempt();
  const fetchLetter = (): Promise<void> =>
    run(async () => {
      const letter: Blob = await body(
        api.GET("/v1/studies/{study}/letter", { params: { path: { study } }, parseAs: "blob" }),
      );
      save(letter, `decision-${study.slice(2, 18)}.pdf`);
    });
  return (
    <>
      <div className="row">
        <Button busy={busy} onClick={() => void fetchLetter()}>
          <Icon name="down" size={18} />
          {PAGE.letter}
        </Button>
      </div>
      {error !== null && <Failure error={error} />}
    </>
  );
}
