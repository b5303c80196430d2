/** A proposal in steps. Going back keeps what was typed; what it would get and cost is told all along. */
import { useState, type ReactElement } from "react";
import { useLocation } from "wouter";
import { api, body } from "../../api/client";
import { queries } from "../../api/queries";
import { texts as common } from "../../texts";
import { researcher as texts } from "../../texts/researcher";
import { Icon } from "../../ui/Icon";
import { Button, Card, Heading, Notice, Sheet } from "../../ui/parts";
import { useAttempt } from "../../ui/useAttempt";
import { digestOfText } from "../digest";
import { fetchPaper, upload, useMoney } from "../queries";
import { BudgetStep } from "./BudgetStep";
import { CohortStep } from "./CohortStep";
import { gaps, proposalOf, STEPS, type Draft, type Step } from "./draft";
import { files, useDraft } from "./keeping";
import { OutputsStep } from "./OutputsStep";
import { PapersStep } from "./PapersStep";
import { PurposeStep } from "./PurposeStep";
import { QuoteLine, QuotePanel, useQuoted } from "./QuotePanel";
import { Refusal } from "./Refusal";
import { ReviewStep } from "./ReviewStep";
import { TermsStep } from "./TermsStep";
import { VariablesStep } from "./VariablesStep";

const PAGE = texts.wizard;

export interface StepProps {
  draft: Draft;
  change: (change: (before: Draft) => Draft) => void;
}

const FORMS: Record<Step, (props: StepProps) => ReactElement> = {
  purpose: PurposeStep,
  terms: TermsStep,
  variables: VariablesStep,
  cohort: CohortStep,
  outputs: OutputsStep,
  budget: BudgetStep,
  papers: PapersStep,
  review: ReviewStep,
};

export function Wizard(): ReactElement {
  const { draft, change, discard } = useDraft();
  const [step, setStep] = useState<Step>(() => firstOpen(draft));
  const [tried, setTried] = useState(false);
  const [asking, ask] = useState(false);
  const money = useMoney();
  const token = money.data?.token ?? null;
  const quoted = useQuoted(draft, token);
  const { busy, error, run } = useAttempt();
  const [, go] = useLocation();
  const lacking = gaps(draft);
  const open = STEPS.filter((one) => lacking[one].length > 0);
  const place = STEPS.indexOf(step);
  const Form = FORMS[step];

  const show = (to: Step): void => {
    setTried(false);
    setStep(to);
    scrollTo({ top: 0 });
  };
  const next = (): void => {
    const following = STEPS[place + 1];
    if (lacking[step].length > 0 || following === undefined) {
      setTried(true);
    } else {
      show(following);
    }
  };
  const propose = (): Promise<void> =>
    run(async () => {
      const proposal = proposalOf(draft, token);
      // The same again is the same study, also when the answer was lost; what was corrected is another one.
      const key = `${draft.key}-${digestOfText(JSON.stringify(proposal))}`;
      const made = await body(
        api.POST("/v1/studies", { body: proposal, params: { header: { "Idempotency-Key": key } } }),
      );
      // What does not arrive is asked for on the study's page: the study is there.
      const sent = draft.papers.map(async ({ sha256, media_type }) => {
        const before = draft.carried.includes(sha256) ? draft.amends : null;
        const file = files.get(sha256) ?? (before === null ? null : await fetchPaper(before, sha256));
        return file === null ? undefined : upload(made.study_id, file, media_type);
      });
      await Promise.allSettled(sent);
      discard();
      await queries.invalidateQueries({ queryKey: ["studies"] });
      go(`/research/studies/${made.study_id}`);
    });

  return (
    <>
      <Heading
        title={draft.amends === null ? PAGE.title : PAGE.amendment}
        lead={PAGE.lead}
        aside={
          <Button look="quiet" onClick={() => ask(true)}>
            {PAGE.discard}
          </Button>
        }
      />
      {asking && (
        <Sheet title={PAGE.discardTitle} close={() => ask(false)}>
          <p>{PAGE.discardLead}</p>
          <div className="row">
            <Button
              look="danger"
              onClick={() => {
                discard();
                ask(false);
                show("purpose");
              }}
            >
              {PAGE.discardNow}
            </Button>
            <Button onClick={() => ask(false)}>{common.cancel}</Button>
          </div>
        </Sheet>
      )}
      <nav aria-label={PAGE.stepsLabel}>
        <ol className="wizard-steps">
          {STEPS.map((one) => (
            <li key={one}>
              <button
                type="button"
                className="wizard-step"
                aria-current={one === step ? "step" : undefined}
                onClick={() => show(one)}
              >
                {lacking[one].length === 0 && one !== "review" && STEPS.indexOf(one) < place && (
                  <Icon name="check" size={16} />
                )}
                {PAGE.steps[one]}
              </button>
            </li>
          ))}
        </ol>
      </nav>
      <div className="wizard">
        <div className="stack">
          <QuoteLine {...quoted} />
          <Card title={PAGE.steps[step]}>
            <p className="muted">{PAGE.leads[step]}</p>
            <Form draft={draft} change={change} />
            {tried && lacking[step].length > 0 && (
              <Notice tone="warn" title={PAGE.lacking}>
                <ul>
                  {lacking[step].map((gap) => (
                    <li key={gap}>{PAGE.gaps[gap]}</li>
                  ))}
                </ul>
              </Notice>
            )}
            {step === "review" && open.length > 0 && (
              <Notice tone="warn" title={PAGE.openSteps}>
                <div className="row">
                  {open.map((one) => (
                    <Button key={one} look="quiet" onClick={() => show(one)}>
                      {PAGE.steps[one]}
                    </Button>
                  ))}
                </div>
              </Notice>
            )}
            {error !== null && <Refusal error={error} show={show} />}
            <div className="row spread">
              <Button
                disabled={place === 0}
                onClick={() => {
                  const before = STEPS[place - 1];
                  if (before !== undefined) {
                    show(before);
                  }
                }}
              >
                {PAGE.back}
              </Button>
              {step === "review" ? (
                <Button
                  look="primary"
                  busy={busy}
                  disabled={open.length > 0}
                  onClick={open.length > 0 ? undefined : () => void propose()}
                >
                  {PAGE.propose}
                </Button>
              ) : (
                <Button look="primary" onClick={next}>
                  {PAGE.next}
                </Button>
              )}
            </div>
          </Card>
        </div>
        <aside className="wizard-aside" id="quote" aria-label={texts.quote.title}>
          <QuotePanel {...quoted} terms={step === "terms"} show={show} />
        </aside>
      </div>
    </>
  );
}

/** The first step that lacks something: where a reload, or a return, goes on. */
function firstOpen(draft: Draft): Step {
  const lacking = gaps(draft);
  return draft.title === "" ? "purpose" : (STEPS.find((step) => lacking[step].length > 0) ?? "review");
}
