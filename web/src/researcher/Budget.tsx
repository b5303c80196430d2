/** The privacy budget: what all answers together may tell, what is spent of it, and what is left to ask. */
import type { ReactElement } from "react";
import type { Schemas } from "../api/client";
import { asDay, asMoment } from "../format/time";
import { texts as common } from "../texts";
import { researcher as texts } from "../texts/researcher";
import { Link } from "wouter";
import { saveJson } from "../ui/download";
import { Icon } from "../ui/Icon";
import { Button, Card, Empty, Failure, Heading, Loading } from "../ui/parts";
import { asLoss } from "./numbers";
import { Gauge } from "./Plot";
import { useBudget, useOwnBudget, useStudies } from "./queries";
import { proposalFrom } from "./stored";

const PAGE = texts.budget;
const day = (seconds: number): string => asDay(new Date(seconds * 1000).toISOString());

export function Budget(): ReactElement {
  const budget = useBudget();
  const own = useOwnBudget();
  const found = budget.data;
  const mine = own.data;
  return (
    <>
      <Heading title={PAGE.title} lead={PAGE.lead} />
      {budget.error !== null && <Failure error={budget.error} retry={() => void budget.refetch()} />}
      {own.error !== null && <Failure error={own.error} retry={() => void own.refetch()} />}
      {(budget.isPending || own.isPending) && <Loading what={common.loading} />}
      {found !== undefined && (
        <section className="card gauges" aria-label={PAGE.gauges}>
          <Gauge label={texts.gauge.custodian} total={found.total_rho} spent={found.spent_rho}>
            <p className="small muted">
              {texts.gauge.ofTotal(asLoss(found.spent_epsilon), asLoss(found.total_epsilon))}{" "}
              {PAGE.period(day(found.period_start), day(found.period_end))}
            </p>
          </Gauge>
          {mine !== undefined && (
            <Gauge label={texts.gauge.own} total={mine.spent_rho + mine.left_rho} spent={mine.spent_rho}>
              <p className="small muted">
                {found.researcher_epsilon === null
                  ? PAGE.ownSpent(asLoss(mine.spent_epsilon))
                  : texts.gauge.ofTotal(asLoss(mine.spent_epsilon), asLoss(found.researcher_epsilon))}{" "}
                {PAGE.lower}
              </p>
            </Gauge>
          )}
        </section>
      )}
      {found !== undefined && (
        <Card title={PAGE.promise}>
          <p className="signed-text">{found.promise}</p>
          <dl className="facts numbers">
            <dt>{PAGE.delta}</dt>
            <dd>{found.delta.toExponential(0)}</dd>
            {found.study_epsilon !== null && (
              <>
                <dt>{PAGE.ofStudy}</dt>
                <dd>ε {asLoss(found.study_epsilon)}</dd>
              </>
            )}
            {found.researcher_epsilon !== null && (
              <>
                <dt>{PAGE.ofResearcher}</dt>
                <dd>ε {asLoss(found.researcher_epsilon)}</dd>
              </>
            )}
          </dl>
          <p className="small muted">{PAGE.adds}</p>
        </Card>
      )}
      {mine !== undefined && (
        <Card
          title={texts.receipts.title}
          aside={
            mine.receipts.length > 0 && (
              <Button look="quiet" onClick={() => saveJson(mine, "receipts.json")}>
                <Icon name="down" size={18} />
                {texts.receipts.save}
              </Button>
            )
          }
        >
          <p className="muted">{texts.receipts.lead}</p>
          <ReceiptTable receipts={mine.receipts} withStudy />
        </Card>
      )}
    </>
  );
}

export function ReceiptTable({
  receipts,
  withStudy = false,
}: {
  receipts: readonly Schemas["ReceiptView"][];
  withStudy?: boolean;
}): ReactElement {
  const studies = useStudies();
  const titles = new Map(
    studies.data?.map(({ study_id, proposal }) => [study_id, proposalFrom(proposal).title] as const),
  );
  const words = texts.receipts;
  if (receipts.length === 0) {
    return <Empty>{words.none}</Empty>;
  }
  return (
    <div className="scroll" role="region" aria-label={words.title} tabIndex={0}>
      <table className="data numbers">
        <thead>
          <tr>
            <th scope="col">{words.at}</th>
            {withStudy && <th scope="col">{words.study}</th>}
            <th scope="col">{words.loss}</th>
            <th scope="col">{words.place}</th>
            <th scope="col">{words.digest}</th>
          </tr>
        </thead>
        <tbody>
          {receipts.map((receipt) => (
            <tr key={receipt.charge_id}>
              <td>{asMoment(new Date(receipt.at * 1000).toISOString())}</td>
              {withStudy && (
                <td>
                  <Link href={`/research/studies/${receipt.study_id}/receipts`}>
                    {titles.get(receipt.study_id) ?? words.unknown}
                  </Link>
                </td>
              )}
              <td>
                ε {asLoss(receipt.epsilon)} <span className="muted">(ρ {asLoss(receipt.rho)})</span>
              </td>
              <td>{receipt.place}</td>
              <td>
                <code>{receipt.digest.slice(0, 18)}…</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
