/** Run the study, see how far it is, and look at what runs gave. */
import { useEffect, useState, type ReactElement } from "react";
import { api, body, done } from "../../api/client";
import { queries } from "../../api/queries";
import { asMoment } from "../../format/time";
import { texts as common } from "../../texts";
import { researcher as texts } from "../../texts/researcher";
import { saveJson } from "../../ui/download";
import {
  Button,
  Card,
  Chip,
  Empty,
  Failure,
  Loading,
  Notice,
  Steps,
  type StepState,
  Tag,
  Fetching,
} from "../../ui/parts";
import { useAttempt } from "../../ui/useAttempt";
import { asLoss } from "../numbers";
import { Gauge } from "../Plot";
import { isUnderWay, renewed, useResult, useRuns, useStudyBudget, type Run } from "../queries";
import type { PartProps } from "../StudyPage";
import { Result } from "./Result";

const PAGE = texts.runs;
const PHASES = ["consents", "records", "result"] as const;

export function Runs({ study, proposal }: PartProps): ReactElement {
  const runs = useRuns(study.study_id);
  const budget = useStudyBudget(study.study_id);
  const { busy, error, run } = useAttempt();
  const [chosen, choose] = useState<string | null>(null);
  const found = runs.data ?? [];
  const underWay = found.find(isUnderWay) ?? null;
  const finished = found.filter(({ state }) => state === "done");
  const shown = finished.find(({ run_id }) => run_id === chosen) ?? finished[0];
  const newest = found[0] === undefined ? "" : `${found[0].run_id} ${found[0].state}`;
  // What was spent and what there is to see changed with the run's state.
  useEffect(() => void queries.invalidateQueries({ queryKey: ["budget"] }), [newest]);
  const start = (): Promise<void> =>
    run(async () => {
      choose(null);
      // The run goes on whatever becomes of this page; how far it is stands in the list.
      await done(
        api.POST("/v1/studies/{study}/runs", {
          params: { path: { study: study.study_id }, query: { wait: 0 } },
        }),
      );
      await renewed(study.study_id);
    });
  return (
    <>
      <Card title={PAGE.title}>
        <p className="muted">{PAGE.lead}</p>
        {budget.data !== undefined && (
          <Gauge
            label={texts.gauge.ofTotal(asLoss(budget.data.spent_epsilon), asLoss(budget.data.total_epsilon))}
            total={budget.data.total_rho}
            spent={budget.data.spent_rho}
            next={Math.min(budget.data.run_rho, budget.data.left_rho)}
          >
            <p className="small muted">{texts.gauge.nextRun(asLoss(budget.data.run_epsilon))}</p>
          </Gauge>
        )}
        {study.state === "approved" ? (
          underWay === null && (
            <div className="row">
              <Button look="primary" busy={busy} onClick={() => void start()}>
                {found.length === 0 ? PAGE.start : PAGE.again}
              </Button>
            </div>
          )
        ) : (
          <Notice>{PAGE.notPermitted}</Notice>
        )}
        {error !== null && <Failure error={error} />}
        {underWay !== null && <Progress run={underWay} />}
        <Fetching of={runs} />
        {runs.data?.length === 0 && <Empty>{PAGE.none}</Empty>}
        {underWay === null && found[0] !== undefined && found[0].state !== "done" && <Ended run={found[0]} />}
      </Card>
      {finished.length > 1 && (
        <div className="row chips" role="group" aria-label={PAGE.which}>
          {finished.map((one) => (
            <Chip
              key={one.run_id}
              label={asMoment(new Date(one.changed_at * 1000).toISOString())}
              on={one.run_id === shown?.run_id}
              press={() => choose(one.run_id)}
            />
          ))}
        </div>
      )}
      {shown !== undefined && (
        <Outcome key={shown.run_id} study={study.study_id} run={shown} proposal={proposal} />
      )}
    </>
  );
}

/** Live: the list of runs is asked for every second while one is under way. */
function Progress({ run }: { run: Run }): ReactElement {
  const now = run.state === "queued" ? -1 : PHASES.indexOf(run.phase);
  const state = (place: number): StepState => (place < now ? "done" : place === now ? "now" : "waiting");
  return (
    <div className="stack" role="status">
      <p>
        <Tag tone="warn">{PAGE.states[run.state]}</Tag>
      </p>
      <Steps
        steps={PHASES.map((phase, place) => ({
          text: place === now ? PAGE.percent(PAGE.phases[phase], run.percent) : PAGE.phases[phase],
          state: state(place),
        }))}
      />
      <progress aria-label={PAGE.progress} max={100} value={run.state === "queued" ? 0 : run.percent} />
      <p className="small muted">{PAGE.leave}</p>
    </div>
  );
}

function Ended({ run }: { run: Run }): ReactElement {
  return (
    <Notice tone="warn" title={PAGE.ended[run.state] ?? run.state}>
      <p>{PAGE.codes[run.code] ?? PAGE.endedNext}</p>
      <p className="small muted">
        {common.problems.code} <code>{run.code}</code>
      </p>
    </Notice>
  );
}

function Outcome({
  study,
  run,
  proposal,
}: {
  study: string;
  run: Run;
  proposal: PartProps["proposal"];
}): ReactElement {
  const result = useResult(study, run.run_id);
  const { busy, error, run: attempt } = useAttempt();
  if (run.removed_at !== null) {
    return (
      <Notice title={PAGE.removed}>
        <p>{PAGE.removedNext(asMoment(new Date(run.removed_at * 1000).toISOString()))}</p>
        <div className="row">
          <Button
            look="quiet"
            busy={busy}
            onClick={() =>
              void attempt(async () => {
                const params = { path: { study } };
                saveJson(await body(api.GET("/v1/studies/{study}/removals", { params })), "removals.json");
              })
            }
          >
            {PAGE.removals}
          </Button>
        </div>
        {error !== null && <Failure error={error} />}
      </Notice>
    );
  }
  if (result.data == null) {
    return result.error === null ? (
      <Loading what={common.loading} />
    ) : (
      <Failure error={result.error} retry={() => void result.refetch()} />
    );
  }
  return <Result study={study} run={run} result={result.data} proposal={proposal} />;
}
