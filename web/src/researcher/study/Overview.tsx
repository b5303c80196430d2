/** How a study stands, what comes next, what it says, and what of its budget is left. */
import { useState, type ReactElement } from "react";
import { Link, useLocation } from "wouter";
import { api, body } from "../../api/client";
import { asDay, asMoment } from "../../format/time";
import { texts as common } from "../../texts";
import { researcher as texts } from "../../texts/researcher";
import { Icon } from "../../ui/Icon";
import { Button, Card, Failure, Notice, Sheet, TextArea, Fetching } from "../../ui/parts";
import { useAttempt } from "../../ui/useAttempt";
import { asLoss } from "../numbers";
import { Gauge } from "../Plot";
import { ProposalFacts } from "../ProposalFacts";
import {
  downloadLetter,
  renewed,
  useCatalogue,
  useDifference,
  usePapers,
  useQuestions,
  useRuns,
  useStudyBudget,
} from "../queries";
import type { PartProps } from "../StudyPage";
import { draftOf } from "../wizard/draft";
import { useDraft } from "../wizard/keeping";

const PAGE = texts.study;

export function Overview({ study, proposal }: PartProps): ReactElement {
  return (
    <>
      <Standing study={study} proposal={proposal} />
      <div className="two">
        <div className="stack">
          <Card title={PAGE.proposal}>
            <ProposalFacts proposal={proposal} />
            <p className="small muted digest">
              {PAGE.id} <code>{study.study_id}</code>
            </p>
          </Card>
          {proposal.amends != null && <Difference study={study.study_id} />}
        </div>
        <div className="stack">
          <StudyGauge study={study.study_id} />
          {study.conditions.length > 0 && (
            <Card title={PAGE.conditions}>
              <ul className="lines">
                {study.conditions.map((condition) => (
                  <li key={condition.text} className="access">
                    <span>{condition.text}</span>
                    {condition.due !== null && (
                      <span className="muted">{PAGE.due(asDay(condition.due))}</span>
                    )}
                  </li>
                ))}
              </ul>
            </Card>
          )}
          <History study={study} proposal={proposal} />
          <Ends study={study} proposal={proposal} />
        </div>
      </div>
    </>
  );
}

function Standing({ study, proposal }: PartProps): ReactElement {
  const papers = usePapers(study.study_id);
  const questions = useQuestions(study.study_id);
  const { busy, error, run } = useAttempt();
  const base = `/research/studies/${study.study_id}`;
  const missing = papers.data?.some(({ stored_at }) => stored_at === null) ?? false;
  const asked = questions.data?.some(({ answered_at }) => answered_at === null) ?? false;
  const decided =
    study.state !== "proposed" && !(study.state === "closed" && proposal.documents.length === 0);
  const tone = study.state === "approved" ? "good" : study.state === "proposed" ? "plain" : "warn";
  return (
    <Notice tone={tone} title={PAGE.standing[study.state] ?? study.state}>
      <p>{PAGE.standingNext[study.state] ?? ""}</p>
      {study.reason !== "" && (
        <p>
          {PAGE.reason} {study.reason}
        </p>
      )}
      <div className="row">
        {study.state === "proposed" && missing && <Link href={`${base}/board`}>{PAGE.bringPapers}</Link>}
        {study.state === "proposed" && asked && <Link href={`${base}/board`}>{PAGE.answerBoard}</Link>}
        {study.state === "approved" && <Link href={`${base}/results`}>{PAGE.toResults}</Link>}
        {decided && (
          <Button look="quiet" busy={busy} onClick={() => void run(() => downloadLetter(study.study_id))}>
            <Icon name="down" size={18} />
            {PAGE.letter}
          </Button>
        )}
      </div>
      {error !== null && <Failure error={error} />}
    </Notice>
  );
}

function StudyGauge({ study }: { study: string }): ReactElement {
  const budget = useStudyBudget(study);
  const found = budget.data;
  return (
    <Card title={texts.gauge.study}>
      <Fetching of={budget} />
      {found !== undefined && (
        <>
          <Gauge
            label={texts.gauge.ofTotal(asLoss(found.spent_epsilon), asLoss(found.total_epsilon))}
            total={found.total_rho}
            spent={found.spent_rho}
            next={Math.min(found.run_rho, found.left_rho)}
          >
            <p className="small muted">{texts.gauge.nextRun(asLoss(found.run_epsilon))}</p>
          </Gauge>
          <details>
            <summary>{texts.gauge.questions}</summary>
            <ul className="lines small">
              {found.prices.map((price) => (
                <li key={price.name} className="access">
                  <code>{price.name}</code>
                  <span className="numbers">
                    ε {asLoss(price.epsilon)} · ± {asLoss(price.expected_error)}
                  </span>
                  <span className="muted">{texts.gauge.of(price.of)}</span>
                </li>
              ))}
            </ul>
          </details>
        </>
      )}
    </Card>
  );
}

function Difference({ study }: { study: string }): ReactElement {
  const difference = useDifference(study);
  const found = difference.data;
  return (
    <Card title={PAGE.difference}>
      <Fetching of={difference} />
      {found !== undefined && (
        <>
          <p className="muted">
            {PAGE.versions[found.version] ?? found.version}{" "}
            {found.amends !== null && <Link href={`/research/studies/${found.amends}`}>{PAGE.before}</Link>}
          </p>
          <div className="scroll" role="region" aria-label={PAGE.difference} tabIndex={0}>
            <table className="data">
              <thead>
                <tr>
                  <th scope="col">{PAGE.changed}</th>
                  <th scope="col">{PAGE.was}</th>
                  <th scope="col">{PAGE.is}</th>
                </tr>
              </thead>
              <tbody>
                {found.changes.map((change) => (
                  <tr key={change.member}>
                    <th scope="row">
                      <code>{change.member}</code>
                    </th>
                    <td>
                      {change.before === "" ? <span className="muted">{PAGE.isNew}</span> : change.before}
                    </td>
                    <td>
                      {change.after === "" ? <span className="muted">{PAGE.isGone}</span> : change.after}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </Card>
  );
}

interface Happened {
  at: number;
  what: string;
}

/** What happened, out of what the study's papers, questions and runs say of themselves. */
function History({ study, proposal }: PartProps): ReactElement | null {
  const papers = usePapers(study.study_id);
  const questions = useQuestions(study.study_id);
  const runs = useRuns(study.study_id);
  const told = PAGE.happened;
  const dated = (iso: string | null | undefined, what: string): Happened[] =>
    iso == null ? [] : [{ at: Date.parse(iso), what }];
  const found = [
    ...(papers.data ?? []).flatMap(({ stored_at, name }) => dated(stored_at, told.paper(name))),
    ...(questions.data ?? []).flatMap((question) => [
      ...dated(question.asked_at, told.asked(question.number + 1)),
      ...dated(question.answered_at, told.answered(question.number + 1)),
    ]),
    ...(runs.data ?? []).map((run) => ({
      at: run.changed_at * 1000,
      what: told.run[run.state],
    })),
    ...dated(proposal.not_before, told.begins),
    ...dated(proposal.not_after, told.ends),
  ].sort((one, other) => one.at - other.at);
  return (
    <Card title={PAGE.history}>
      <ol className="timeline small">
        {found.map(({ at, what }, place) => (
          <li key={place}>
            <span>{what}</span>
            <time className="muted numbers" dateTime={new Date(at).toISOString()}>
              {asMoment(new Date(at).toISOString())}
            </time>
          </li>
        ))}
      </ol>
    </Card>
  );
}

/** A new version, and the end. */
function Ends({ study, proposal }: PartProps): ReactElement | null {
  const [closing, close] = useState(false);
  const [reason, setReason] = useState("");
  const { busy, error, run } = useAttempt();
  const { draft, change } = useDraft();
  const catalogue = useCatalogue();
  const [, go] = useLocation();
  const mayGoOn = study.state === "approved" || study.state === "suspended";
  const open = mayGoOn || study.state === "proposed";
  if (!open) {
    return null;
  }
  const end = (): Promise<void> =>
    run(async () => {
      await body(
        api.POST("/v1/studies/{study}/closing", {
          params: { path: { study: study.study_id } },
          body: { reason: reason.trim() },
        }),
      );
      close(false);
      await renewed(study.study_id);
    });
  return (
    <Card title={PAGE.further}>
      {mayGoOn && (
        <>
          <p className="muted">{PAGE.amendLead}</p>
          {draft.title !== "" && <p className="muted small">{PAGE.amendReplaces(draft.title)}</p>}
          <div className="row">
            <Button
              onClick={() => {
                change((before) => ({
                  ...draftOf(proposal, catalogue.data?.offers ?? [], before.key),
                  amends: study.study_id,
                }));
                go("/research/proposal");
              }}
            >
              <Icon name="pen" size={18} />
              {PAGE.amend}
            </Button>
          </div>
        </>
      )}
      <div className="row">
        <Button look="danger" onClick={() => close(true)}>
          {study.state === "proposed" ? PAGE.withdraw : PAGE.end}
        </Button>
      </div>
      {closing && (
        <Sheet
          title={study.state === "proposed" ? PAGE.withdrawTitle : PAGE.endTitle}
          close={() => close(false)}
        >
          <p>{PAGE.endLead}</p>
          <TextArea label={PAGE.endReason} value={reason} change={setReason} />
          {error !== null && <Failure error={error} />}
          <div className="row">
            <Button
              look="danger"
              busy={busy}
              disabled={reason.trim() === ""}
              onClick={reason.trim() === "" ? undefined : () => void end()}
            >
              {PAGE.endNow}
            </Button>
            <Button onClick={() => close(false)}>{common.cancel}</Button>
          </div>
        </Sheet>
      )}
    </Card>
  );
}
