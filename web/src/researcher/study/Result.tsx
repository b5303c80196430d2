/** What a run gave: protected answers with their error bars, exact figures, tables, and what leaves sealed. */
import type { ReactElement } from "react";
import { asCount, asMoment } from "../../format/time";
import { texts as common } from "../../texts";
import { researcher as texts } from "../../texts/researcher";
import { save, saveJson } from "../../ui/download";
import { Icon } from "../../ui/Icon";
import { Button, Card, Failure, Notice, Tag } from "../../ui/parts";
import { useAttempt } from "../../ui/useAttempt";
import { asLevel, asLoss, asShare } from "../numbers";
import { CountPlot, CrossTable, CurvePlot, EstimateTable } from "../Plot";
import { downloadSealed, sealedName, type Run } from "../queries";
import { csv, tableOf, type Answer, type ReleasedTable, type Report, type RunResult } from "../result";
import type { Output, Proposal } from "../wizard/draft";

const PAGE = texts.results;
const PREVIEW_ROWS = 20;
const MOST_SIZES = 40;

interface ResultProps {
  study: string;
  run: Run;
  result: RunResult;
  proposal: Proposal;
}

export function Result({ study, run, result, proposal }: ResultProps): ReactElement {
  const asked = (name: string): Output | undefined => proposal.outputs.find((output) => output.name === name);
  const between = ([low, high]: [number, number]): string =>
    low === 0 ? texts.numbers.fewerThan(asCount(high)) : texts.numbers.range(asCount(low), asCount(high - 1));
  return (
    <>
      <Card
        title={PAGE.title(asMoment(new Date(run.changed_at * 1000).toISOString()))}
        aside={
          <Button look="quiet" onClick={() => saveJson(result, `result-${result.run}.json`)}>
            <Icon name="down" size={18} />
            {PAGE.save}
          </Button>
        }
      >
        <dl className="facts numbers">
          <dt>{PAGE.included}</dt>
          <dd>{PAGE.patients(between(result.included))}</dd>
          <dt>{PAGE.excluded}</dt>
          <dd>{PAGE.patients(between(result.excluded))}</dd>
          <dt>{PAGE.loss}</dt>
          <dd>
            ε {asLoss(Number(result.epsilon))} {PAGE.atDelta(result.delta_exponent)}
          </dd>
          <dt>{PAGE.digest}</dt>
          <dd className="digest">
            <code>{result.digest}</code>
          </dd>
        </dl>
        <p className="small muted">{PAGE.noise}</p>
      </Card>
      {result.answers
        .filter(({ kind }) => kind !== "participants")
        .map((answer) => (
          <AnswerCard key={answer.name} answer={answer} asked={asked(answer.name)} />
        ))}
      {result.threshold_refusal !== "" && <Refused what={PAGE.exact} code={result.threshold_refusal} />}
      {result.thresholds.map((figure) => (
        <Card key={figure.name} title={figure.name} aside={<Tag tone="warn">{PAGE.outside}</Tag>}>
          <p className="muted small">{result.threshold_method}</p>
          {asked(figure.name)?.kind === "threshold_contingency" ? (
            <CrossTable caption={figure.name} levels={figure.levels} values={figure.values} error={null} />
          ) : (
            <CountPlot
              caption={figure.name}
              levels={figure.levels}
              values={figure.values}
              error={0}
              isExact
            />
          )}
        </Card>
      ))}
      {result.table_refusal !== "" && <Refused what={PAGE.table} code={result.table_refusal} />}
      {result.table !== null && (
        <TableCard
          study={study}
          run={run}
          table={result.table}
          isSealed={proposal.dataset != null}
          name={proposal.outputs.find(({ kind }) => kind === "table")?.name ?? PAGE.table}
        />
      )}
      {(result.fhir_refusal ?? "") !== "" && <Refused what={PAGE.fhir} code={result.fhir_refusal ?? ""} />}
      {result.fhir != null && (
        <Card title={PAGE.fhir} aside={<Tag tone="warn">{PAGE.outside}</Tag>}>
          <p className="muted">{PAGE.fhirLead}</p>
          <details>
            <summary>{PAGE.fhirAbout}</summary>
            <pre className="json" tabIndex={0}>
              {JSON.stringify(result.fhir, null, 2)}
            </pre>
          </details>
          <Sealed study={study} run={run} what="fhir" />
        </Card>
      )}
    </>
  );
}

function Refused({ what, code }: { what: string; code: string }): ReactElement {
  return (
    <Notice tone="warn" title={PAGE.notGiven(what)}>
      <p>{PAGE.refusals[code] ?? PAGE.refusedNext}</p>
      <p className="small muted">
        {common.problems.code} <code>{code}</code>
      </p>
    </Notice>
  );
}

function AnswerCard({ answer, asked }: { answer: Answer; asked: Output | undefined }): ReactElement {
  const kind = texts.wizard.outputs.kinds[answer.kind as Output["kind"]];
  const { head, rows } = tableOf(answer);
  return (
    <Card title={answer.name} aside={<Tag>{kind}</Tag>}>
      <AnswerPlot answer={answer} asked={asked} />
      <div className="row spread">
        <details>
          <summary className="small">{PAGE.method}</summary>
          <p className="small muted">{answer.method}</p>
        </details>
        <Button
          look="quiet"
          onClick={() => save(new Blob([csv(head, rows)], { type: "text/csv" }), `${answer.name}.csv`)}
        >
          <Icon name="down" size={18} />
          CSV<span className="visually-hidden"> {answer.name}</span>
        </Button>
      </div>
    </Card>
  );
}

function AnswerPlot({ answer, asked }: { answer: Answer; asked: Output | undefined }): ReactElement {
  switch (answer.kind) {
    case "survival":
      return <CurvePlot what={answer.name} estimates={answer.estimates} />;
    case "contingency":
      return (
        <CrossTable
          caption={answer.name}
          levels={answer.levels}
          values={answer.values}
          error={answer.error_95}
        />
      );
    case "mean":
    case "quantile":
    case "regression":
      return (
        <EstimateTable
          caption={answer.name}
          estimates={answer.estimates}
          range={asked?.of == null ? null : [Number(asked.of.lower), Number(asked.of.upper)]}
        />
      );
    default:
      return (
        <CountPlot
          caption={answer.name}
          levels={answer.levels}
          values={answer.values}
          error={answer.error_95}
        />
      );
  }
}

function TableCard({
  study,
  run,
  table,
  isSealed,
  name,
}: {
  study: string;
  run: Run;
  table: ReleasedTable;
  isSealed: boolean;
  name: string;
}): ReactElement {
  return (
    <Card title={name} aside={<Tag tone="warn">{PAGE.outside}</Tag>}>
      <RiskReport report={table.report} name={name} />
      {isSealed ? (
        <Sealed study={study} run={run} what="dataset" />
      ) : (
        <>
          <div className="scroll" role="region" aria-label={name} tabIndex={0}>
            <table className="data">
              <thead>
                <tr>
                  {table.columns.map((column) => (
                    <th key={column} scope="col">
                      {column}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {table.rows.slice(0, PREVIEW_ROWS).map((row, place) => (
                  <tr key={place}>
                    {row.map((value, column) => (
                      <td key={column}>{asLevel(value)}</td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <div className="row">
            <Button
              onClick={() =>
                save(new Blob([csv(table.columns, table.rows)], { type: "text/csv" }), `${name}.csv`)
              }
            >
              <Icon name="down" size={18} />
              {PAGE.tableCsv(table.rows.length)}
            </Button>
          </div>
        </>
      )}
    </Card>
  );
}

/** What was lost so that nobody stands alone, and what is left of the risk to be found. */
function RiskReport({ report, name }: { report: Report; name: string }): ReactElement {
  const sizes = [...new Set(report.class_sizes)].sort((one, other) => one - other);
  const of = (size: number): number => report.class_sizes.filter((one) => one === size).length;
  const words = PAGE.risk;
  return (
    <>
      <h3>{words.title}</h3>
      <dl className="facts numbers">
        <dt>{words.highest}</dt>
        <dd>{words.oneIn(asShare(1 / Math.max(1, report.k_reached)), asCount(report.k_reached))}</dd>
        <dt>{words.average}</dt>
        <dd>{asShare(report.rows_released === 0 ? 0 : report.classes / report.rows_released)}</dd>
        <dt>{words.k}</dt>
        <dd>{words.kOf(report.k_reached, report.k_asked)}</dd>
        <dt>{words.rows}</dt>
        <dd>{words.rowsOf(asCount(report.rows_released), asCount(report.rows_suppressed))}</dd>
        <dt>{words.loss}</dt>
        <dd>{asShare(Number(report.loss))}</dd>
        {Object.entries(report.loss_by_column).map(([column, loss]) => (
          <div key={column} className="facts-row">
            <dt>{words.lossOf(column)}</dt>
            <dd>{asShare(Number(loss))}</dd>
          </div>
        ))}
      </dl>
      {sizes.length > 0 && sizes.length <= MOST_SIZES && (
        <details>
          <summary>{words.classes(report.classes)}</summary>
          <CountPlot
            caption={words.classes(report.classes)}
            levels={sizes.map((size) => words.ofSize(size))}
            values={sizes.map(of)}
            error={0}
            isExact
          />
        </details>
      )}
      <p className="small muted">{words.explained}</p>
      <div className="row">
        <Button look="quiet" onClick={() => saveJson(report, `${name}-report.json`)}>
          <Icon name="down" size={18} />
          {words.save}
        </Button>
      </div>
    </>
  );
}

/** A browser does not have the organisation's private key, and must not: the file is opened where the key is. */
function Sealed({ study, run, what }: { study: string; run: Run; what: "dataset" | "fhir" }): ReactElement {
  const { busy, error, run: attempt } = useAttempt();
  return (
    <>
      <h3>{PAGE.sealed.title}</h3>
      <p>{PAGE.sealed.lead}</p>
      <div className="row">
        <Button
          look="primary"
          busy={busy}
          onClick={() => void attempt(() => downloadSealed(study, run.run_id, what))}
        >
          <Icon name="down" size={18} />
          {PAGE.sealed.download}
        </Button>
      </div>
      {error !== null && <Failure error={error} />}
      <p>{PAGE.sealed.then}</p>
      <pre className="command">
        <code>{`assent open ${sealedName(run.run_id)} --key key.json --out ${what}.zip`}</code>
      </pre>
      <p className="small muted">{what === "dataset" ? PAGE.sealed.zip : PAGE.sealed.records}</p>
    </>
  );
}
