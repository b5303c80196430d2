/** What the draft would get and cost, asked again at every change. Nothing is stored or spent. */
import type { UseQueryResult } from "@tanstack/react-query";
import { useEffect, useState, type ReactElement } from "react";
import type { Schemas } from "../../api/client";
import { Problem } from "../../api/problem";
import { asCount } from "../../format/time";
import { texts as common } from "../../texts";
import { researcher as texts } from "../../texts/researcher";
import { Icon } from "../../ui/Icon";
import { Card, Chip, Failure, Loading, Notice } from "../../ui/parts";
import { asAmount, asLoss, asRange } from "../numbers";
import { Gauge } from "../Plot";
import { useOwnBudget, useQuote } from "../queries";
import { quotable, type Draft, type Question, type Step } from "./draft";
import { Refusal } from "./Refusal";

const PANEL = texts.quote;
const PAUSE_MS = 350;
const NANO = 1e9;

export interface Quoted {
  asked: Question | null;
  quote: UseQueryResult<Schemas["QuoteView"]>;
}

/** The quote of a draft, asked for once nobody has typed for a moment. */
export function useQuoted(draft: Draft, token: string | null): Quoted {
  const settled = useSettled(draft);
  const asked = quotable(settled, token);
  return { asked, quote: useQuote(asked?.body ?? null) };
}

/** The same in a line, for screens on which the panel stands below the form. */
export function QuoteLine({ asked, quote }: Quoted): ReactElement | null {
  const found = quote.data;
  if (asked === null || found === undefined || quote.error !== null) {
    return null;
  }
  return (
    <a className="quote-line small" href="#quote">
      {PANEL.matching(found.terms.filter(({ fits }) => fits).length, found.terms.length)}
      {found.remaining !== null && ` · ${PANEL.patients(asRange(found.remaining.patients))}`}
    </a>
  );
}

interface QuotePanelProps extends Quoted {
  /** Whether the match of terms is what the step is about: then all of it is shown. */
  terms: boolean;
  show: (step: Step) => void;
}

export function QuotePanel({ asked, quote, terms, show }: QuotePanelProps): ReactElement {
  const own = useOwnBudget();
  const found = quote.data;
  return (
    <Card title={PANEL.title}>
      {quote.isPlaceholderData && asked !== null ? (
        <Loading what={PANEL.again} />
      ) : (
        <p className="muted small">{PANEL.lead}</p>
      )}
      {asked === null && <Notice>{PANEL.lacksTerms}</Notice>}
      {asked !== null && quote.isPending && <Loading what={common.loading} />}
      {asked !== null &&
        quote.error !== null &&
        (quote.error instanceof Problem && quote.error.field !== "" ? (
          <Refusal error={quote.error} show={show} />
        ) : (
          <Failure error={quote.error} retry={() => void quote.refetch()} />
        ))}
      {asked !== null && found !== undefined && quote.error === null && (
        <div className="stack" aria-live="polite" aria-busy={quote.isPlaceholderData}>
          <Remaining found={found} />
          <Matches terms={found.terms} open={terms} />
          {asked.isComplete ? (
            <>
              <Cost found={found} runs={found.runs} />
              {own.data !== undefined && (
                <Gauge
                  label={texts.gauge.own}
                  total={own.data.spent_rho + own.data.left_rho}
                  spent={own.data.spent_rho}
                  next={(found.questions.reduce((sum, { rho }) => sum + rho, 0) * found.runs) / NANO}
                >
                  <p className="small muted">{texts.gauge.next}</p>
                </Gauge>
              )}
            </>
          ) : (
            <p className="small muted">{PANEL.incomplete}</p>
          )}
        </div>
      )}
    </Card>
  );
}

function Remaining({ found }: { found: Schemas["QuoteView"] }): ReactElement {
  const { remaining } = found;
  if (remaining === null) {
    return <p className="muted">{PANEL.notDrawn}</p>;
  }
  const values = Object.entries(remaining.with_value);
  return (
    <div>
      <p>
        <span className="figure numbers">{asRange(remaining.patients)}</span>
      </p>
      <p>{PANEL.remaining(asRange(remaining.of))}</p>
      <p className="small muted">{PANEL.protected}</p>
      {values.length > 0 && (
        <details>
          <summary className="small">{PANEL.withValue}</summary>
          <dl className="facts small numbers">
            {values.map(([name, range]) => (
              <div key={name}>
                <dt>
                  <code>{name}</code>
                </dt>
                <dd>{asRange(range)}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </div>
  );
}

/** For each DUO term: would a consent with it fit this study, and why. */
function Matches({ terms, open }: { terms: readonly Schemas["TermView"][]; open: boolean }): ReactElement {
  const [which, choose] = useState<"fits" | "not">("not");
  const fitting = terms.filter(({ fits }) => fits);
  const others = terms.filter(({ fits }) => !fits);
  const list = (
    <>
      <div className="row chips" role="group" aria-label={PANEL.matches}>
        <Chip label={PANEL.notFitting(others.length)} on={which === "not"} press={() => choose("not")} />
        <Chip label={PANEL.fitting(fitting.length)} on={which === "fits"} press={() => choose("fits")} />
      </div>
      <ul className="matches small">
        {(which === "fits" ? fitting : others).map((term) => (
          <li key={term.term} data-fits={term.fits}>
            <Icon name={term.fits ? "check" : "cross"} size={18} />
            <span>
              <strong>{term.label}</strong>
              <br />
              <span className="muted">{term.reason}</span>
            </span>
          </li>
        ))}
      </ul>
    </>
  );
  return open ? (
    <div className="stack">
      <h3>{PANEL.matches}</h3>
      {list}
    </div>
  ) : (
    <details>
      <summary>{PANEL.matching(fitting.length, terms.length)}</summary>
      <div className="stack">{list}</div>
    </details>
  );
}

function Cost({ found, runs }: { found: Schemas["QuoteView"]; runs: number }): ReactElement {
  return (
    <>
      <dl className="facts numbers">
        <dt>{PANEL.ofRun}</dt>
        <dd>ε {asLoss(Number(found.epsilon_of_a_run))}</dd>
        <dt>{PANEL.ofStudy}</dt>
        <dd>{PANEL.overRuns(asLoss(Number(found.epsilon_of_the_study)), runs)}</dd>
        <dt>{PANEL.price}</dt>
        <dd className="digest">
          {found.cost == null
            ? PANEL.noPrice
            : found.cost.least === found.cost.most
              ? asAmount(found.cost.most)
              : PANEL.costRange(asAmount(found.cost.least), asAmount(found.cost.most))}
        </dd>
      </dl>
      <h3>{PANEL.errors}</h3>
      <ul className="lines">
        {found.questions.map((question) => (
          <li key={question.name} className="row spread small">
            <code>{question.name}</code>
            <span className="numbers">± {asCount(question.expected_error)}</span>
          </li>
        ))}
      </ul>
      <p className="small muted">{PANEL.errorsHint}</p>
    </>
  );
}

/** The draft once nobody has typed for a moment. */
function useSettled(draft: Draft): Draft {
  const [settled, settle] = useState(draft);
  useEffect(() => {
    const timer = setTimeout(() => settle(draft), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [draft]);
  return settled;
}
