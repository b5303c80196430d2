/** A proposal as people read it: everything that is signed, and nothing else. */
import type { ReactElement } from "react";
import { useWords } from "../api/queries";
import { asCount, asDay, asList } from "../format/time";
import { researcher as texts } from "../texts/researcher";
import { asAmount, asLevel, asLoss } from "./numbers";
import type { Filter, Output, Proposal } from "./wizard/draft";
import { read } from "./wizard/duo";

const FACTS = texts.facts;
const DUO = texts.wizard.terms.labels;
const KINDS = texts.wizard.outputs.kinds;

export function ProposalFacts({ proposal }: { proposal: Proposal }): ReactElement {
  const words = useWords();
  return (
    <dl className="facts">
      <dt>{FACTS.purpose}</dt>
      <dd>{words("purposes", [proposal.purpose])[0]}</dd>
      <dt>{FACTS.terms}</dt>
      <dd>
        {proposal.duo.map((term) => (
          <span key={term}>
            {termWords(term)}
            <br />
          </span>
        ))}
      </dd>
      <dt>{FACTS.period}</dt>
      <dd>{FACTS.fromTo(asDay(proposal.not_before), asDay(proposal.not_after))}</dd>
      <dt>{FACTS.variables}</dt>
      <dd>
        {proposal.variables.map((variable) => (
          <span key={variable.name}>
            <code>{variable.name}</code>{" "}
            <span className="muted">{FACTS.kinds[variable.kind] ?? variable.kind}</span>
            <br />
          </span>
        ))}
      </dd>
      <dt>{FACTS.cohort}</dt>
      <dd>{FACTS.atLeast(asCount(proposal.minimum_cohort))}</dd>
      <dt>{FACTS.outputs}</dt>
      <dd>
        {proposal.outputs.map((output) => (
          <span key={output.name}>
            <code>{output.name}</code> {outputWords(output)}
            <br />
          </span>
        ))}
      </dd>
      {proposal.dataset != null && (
        <>
          <dt>{FACTS.model}</dt>
          <dd>{modelWords(proposal.dataset)}</dd>
        </>
      )}
      <dt>{FACTS.budget}</dt>
      <dd>{FACTS.epsilonOverRuns(asLoss(proposal.epsilon), proposal.runs)}</dd>
      <dt>{FACTS.price}</dt>
      <dd className="digest">
        {proposal.price == null
          ? FACTS.free
          : FACTS.priceOf(asAmount(proposal.price.amount), texts.wizard.budget.bases[proposal.price.basis])}
      </dd>
      {proposal.documents.length > 0 && (
        <>
          <dt>{FACTS.papers}</dt>
          <dd>{asList(proposal.documents.map(({ name }) => name))}</dd>
        </>
      )}
    </dl>
  );
}

export function termWords(term: string): string {
  const found = read(term);
  if (found === null) {
    return term;
  }
  const label = DUO[found.found.shorthand] ?? term;
  return found.argument === "" ? label : `${label}: ${found.argument}`;
}

function outputWords(output: Output): string {
  const of =
    output.of?.variable ??
    (output.outcome != null && output.predictor != null
      ? FACTS.on(output.outcome.variable, output.predictor.variable)
      : output.rows !== ""
        ? FACTS.by(output.rows, output.columns)
        : output.time || output.variable || asList(output.variables) || asList(output.categories));
  const kind = output.kind === "table" ? FACTS.tableOf(output.k) : KINDS[output.kind];
  return [kind, of === "" ? "" : `: ${of}`, filterWords(output.where)].join("");
}

function filterWords(where: readonly Filter[]): string {
  return where.length === 0
    ? ""
    : FACTS.where(
        asList(where.map(({ variable, levels }) => `${variable}: ${levels.map(asLevel).join(", ")}`)),
      );
}

function modelWords(dataset: NonNullable<Proposal["dataset"]>): string {
  const { modes, diversities } = texts.wizard.outputs;
  return asList([
    modes[dataset.mode],
    ...(dataset.diversity === "none" ? [] : [`${diversities[dataset.diversity]} (l = ${dataset.l})`]),
    ...(dataset.t === "" ? [] : [`t = ${dataset.t}`]),
  ]);
}
