import type { ReactElement } from "react";
import { texts as common } from "../../texts";
import { researcher as texts } from "../../texts/researcher";
import { Failure, Loading, Notice, Switch, TextField } from "../../ui/parts";
import { asLoss } from "../numbers";
import { Gauge } from "../Plot";
import { useBudget, useMoney, useOwnBudget } from "../queries";
import type { Draft } from "./draft";
import { Select } from "./Select";
import type { StepProps } from "./Wizard";

const STEP = texts.wizard.budget;

/** How much of everybody's privacy budget it takes, what is paid, and from when to when. */
export function BudgetStep({ draft, change }: StepProps): ReactElement {
  const budget = useBudget();
  const own = useOwnBudget();
  const money = useMoney();
  const set = (changes: Partial<Draft>): void => change((before) => ({ ...before, ...changes }));
  const most = budget.data?.study_epsilon ?? null;
  return (
    <>
      {own.data !== undefined && (
        <Gauge
          label={texts.gauge.own}
          total={own.data.spent_rho + own.data.left_rho}
          spent={own.data.spent_rho}
        />
      )}
      {own.error !== null && <Failure error={own.error} retry={() => void own.refetch()} />}
      <div className="fields">
        <TextField
          label={STEP.epsilon}
          hint={STEP.epsilonHint(most === null ? null : asLoss(most))}
          inputMode="decimal"
          value={draft.epsilon}
          change={(epsilon) => set({ epsilon })}
        />
        <TextField
          label={STEP.runs}
          hint={STEP.runsHint}
          inputMode="numeric"
          value={draft.runs}
          change={(runs) => set({ runs })}
        />
      </div>
      <div className="part">
        <div className="fields">
          <TextField label={STEP.from} type="date" value={draft.from} change={(from) => set({ from })} />
          <TextField
            label={STEP.until}
            type="date"
            min={draft.from}
            value={draft.until}
            change={(until) => set({ until })}
          />
        </div>
        <p className="small muted">{STEP.periodHint}</p>
      </div>
      <div className="part">
        {money.isPending && <Loading what={common.loading} />}
        {money.error !== null && <Notice>{STEP.noMoney}</Notice>}
        {money.data !== undefined && (
          <>
            <Switch label={STEP.paid} on={draft.paid} change={(paid) => set({ paid })} />
            {draft.paid && (
              <>
                <div className="fields">
                  <TextField
                    label={STEP.amount}
                    hint={STEP.amountHint}
                    inputMode="numeric"
                    value={draft.amount}
                    change={(amount) => set({ amount })}
                  />
                  <Select
                    label={STEP.basis}
                    value={draft.basis}
                    change={(basis) => set({ basis: basis as Draft["basis"] })}
                    options={Object.entries(STEP.bases)}
                  />
                </div>
                <p className="small muted digest">
                  {STEP.token} <code>{money.data.token}</code>
                  {money.data.is_test_token && ` · ${STEP.testToken}`}
                </p>
              </>
            )}
          </>
        )}
      </div>
    </>
  );
}
