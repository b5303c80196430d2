/** A proposal while it is being written: everything as it was typed, so that going back loses nothing. */
import type { Schemas } from "../../api/client";
import { dateOf, endOfDay } from "../../format/time";
import { numberOf } from "../numbers";
import { KINDS, read, STATEMENTS, written } from "./duo";
import { levelsOfEdges, type Variable } from "./levels";

export type Proposal = Schemas["ProposalBody"];
export type Output = Schemas["OutputBody"];
export type Filter = Schemas["FilterBody"];
export type OutputKind = Output["kind"];
export type Paper = Schemas["DocumentBody"];

export interface ChosenVariable {
  title: string;
  body: Variable;
  levels: string[];
}

/** An output with every field that any kind has; `bodyOf` takes those of its kind. */
export interface OutputDraft {
  kind: OutputKind;
  name: string;
  variable: string;
  rows: string;
  columns: string;
  lower: string;
  upper: string;
  decimals: string;
  /** The range of the other variable of a regression. */
  predictor: string;
  predictorLower: string;
  predictorUpper: string;
  step: string;
  percent: string;
  event: string;
  grid: string;
  variables: string[];
  k: string;
  categories: string[];
}

export interface Draft {
  title: string;
  purpose: string;
  /** Shorthand of the kind of research, and its argument. */
  kind: string;
  disease: string;
  /** Arguments by shorthand, '' where a term has none. */
  statements: Record<string, string>;
  variables: ChosenVariable[];
  minimumCohort: string;
  criteria: Filter[];
  outputs: OutputDraft[];
  diversity: "none" | "distinct" | "entropy" | "recursive";
  l: string;
  c: string;
  t: string;
  mode: "strict" | "max-utility" | "full-domain";
  /** Whether a table leaves as a dataset, sealed, or stands in the result. */
  sealed: boolean;
  epsilon: string;
  runs: string;
  paid: boolean;
  amount: string;
  basis: "patient" | "study";
  from: string;
  until: string;
  papers: Paper[];
  amends: string | null;
  /** Digests of papers that the version before has: they are taken over from there. */
  carried: string[];
  /** Drawn once: a proposal that is sent twice is one study. */
  key: string;
}

export const STEPS = [
  "purpose",
  "terms",
  "variables",
  "cohort",
  "outputs",
  "budget",
  "papers",
  "review",
] as const;
export type Step = (typeof STEPS)[number];

const DAY_MS = 86_400_000;
const USUAL_DAYS = 180;
const MINIMUM = 5;
const NAME = /^[a-z][a-z0-9_]{0,39}$/;

export function emptyDraft(now: number, key: string): Draft {
  return {
    title: "",
    purpose: "HRESCH",
    kind: "GRU",
    disease: "",
    statements: {},
    variables: [],
    minimumCohort: String(MINIMUM),
    criteria: [],
    outputs: [],
    diversity: "none",
    l: "",
    c: "",
    t: "",
    mode: "strict",
    sealed: true,
    epsilon: "0.5",
    runs: "1",
    paid: false,
    amount: "",
    basis: "patient",
    from: dateOf(new Date(now).toISOString()),
    until: dateOf(new Date(now + USUAL_DAYS * DAY_MS).toISOString()),
    papers: [],
    amends: null,
    carried: [],
    key,
  };
}

export function emptyOutput(kind: OutputKind, taken: readonly string[]): OutputDraft {
  const stem = kind.replace("threshold_", "exact_");
  let name = stem;
  for (let number = 2; taken.includes(name); number += 1) {
    name = `${stem}_${number}`;
  }
  return {
    kind,
    name,
    variable: "",
    rows: "",
    columns: "",
    lower: "",
    upper: "",
    decimals: "0",
    predictor: "",
    predictorLower: "",
    predictorUpper: "",
    step: "",
    percent: "50",
    event: "",
    grid: "",
    variables: [],
    k: String(MINIMUM),
    categories: kind === "fhir" ? ["demographics"] : [],
  };
}

export function hasTable(draft: Draft): boolean {
  return draft.outputs.some((output) => output.kind === "table");
}

export function hasRecords(draft: Draft): boolean {
  return draft.outputs.some((output) => output.kind === "fhir");
}

/** Take a variable out, with everything that speaks of it. */
export function without(draft: Draft, name: string): Draft {
  const cleared = (value: string): string => (value === name ? "" : value);
  return {
    ...draft,
    variables: draft.variables.filter(({ body }) => body.name !== name),
    criteria: draft.criteria.filter(({ variable }) => variable !== name),
    outputs: draft.outputs.map((output) => ({
      ...output,
      variable: cleared(output.variable),
      rows: cleared(output.rows),
      columns: cleared(output.columns),
      predictor: cleared(output.predictor),
      event: cleared(output.event),
      variables: output.variables.filter((one) => one !== name),
    })),
  };
}

export function duoOf(draft: Draft): string[] {
  const kind = KINDS.find(({ shorthand }) => shorthand === draft.kind);
  return [
    ...(kind === undefined ? [] : [written(kind, draft.disease)]),
    ...STATEMENTS.flatMap((term) => {
      const argument = draft.statements[term.shorthand];
      return argument === undefined ? [] : [written(term, argument)];
    }),
  ];
}

const listed = (text: string): string[] =>
  text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");

/** The output as the service takes it. Filters go into what is counted; a table and records have none. */
export function bodyOf(output: OutputDraft, criteria: readonly Filter[]): Output {
  const plain: Output = {
    kind: output.kind,
    name: output.name.trim(),
    variable: "",
    rows: "",
    columns: "",
    step: "",
    per_mille: 500,
    time: "",
    grid: [],
    variables: [],
    where: [...criteria],
    k: MINIMUM,
    categories: [],
  };
  const bounds = {
    variable: output.variable,
    lower: output.lower.trim(),
    upper: output.upper.trim(),
    decimals: Number(output.decimals),
  };
  switch (output.kind) {
    case "count":
    case "threshold_count":
      return plain;
    case "histogram":
    case "threshold_histogram":
      return { ...plain, variable: output.variable };
    case "contingency":
    case "threshold_contingency":
      return { ...plain, rows: output.rows, columns: output.columns };
    case "mean":
      return { ...plain, of: bounds };
    case "quantile":
      return {
        ...plain,
        of: bounds,
        step: output.step.trim(),
        per_mille: Math.round(Number(output.percent) * 10),
      };
    case "regression":
      return {
        ...plain,
        outcome: bounds,
        predictor: {
          variable: output.predictor,
          lower: output.predictorLower.trim(),
          upper: output.predictorUpper.trim(),
          decimals: Number(output.decimals),
        },
      };
    case "survival":
      return {
        ...plain,
        time: output.variable,
        event: { variable: output.event, levels: ["event"] },
        grid: listed(output.grid),
      };
    case "table":
      return { ...plain, where: [], variables: output.variables, k: Number(output.k) };
    case "fhir":
      return { ...plain, where: [], categories: output.categories };
  }
}

/** What `POST /v1/studies` takes. `token` is the chain's, for a price. */
export function proposalOf(draft: Draft, token: string | null): Proposal {
  return {
    title: draft.title.trim(),
    purpose: draft.purpose,
    duo: duoOf(draft),
    variables: draft.variables.map(({ body }) => body),
    outputs: draft.outputs.map((output) => bodyOf(output, draft.criteria)),
    not_before: new Date(`${draft.from}T00:00:00`).toISOString(),
    not_after: endOfDay(draft.until),
    epsilon: Number(draft.epsilon),
    runs: Number(draft.runs),
    minimum_cohort: Number(draft.minimumCohort),
    price: draft.paid && token !== null ? { token, amount: draft.amount.trim(), basis: draft.basis } : null,
    documents: draft.papers,
    dataset:
      hasTable(draft) && draft.sealed
        ? {
            mode: draft.mode,
            diversity: draft.diversity,
            l: draft.l.trim(),
            c: draft.c.trim(),
            t: draft.t.trim(),
          }
        : null,
    amends: draft.amends,
  };
}

export type Gap =
  | "title"
  | "disease"
  | "argument"
  | "variables"
  | "minimumCohort"
  | "criteria"
  | "outputs"
  | "outputName"
  | "outputFields"
  | "epsilon"
  | "runs"
  | "period"
  | "amount"
  | "papers"
  | "model";

const isWhole = (text: string, least: number, most: number): boolean =>
  /^\d+$/.test(text.trim()) && Number(text) >= least && Number(text) <= most;

const isDecimal = (text: string): boolean => /^-?\d+(\.\d+)?$/.test(text.trim());

function isComplete(output: OutputDraft): boolean {
  const ranged = output.variable !== "" && isDecimal(output.lower) && isDecimal(output.upper);
  switch (output.kind) {
    case "count":
    case "threshold_count":
      return true;
    case "histogram":
    case "threshold_histogram":
      return output.variable !== "";
    case "contingency":
    case "threshold_contingency":
      return output.rows !== "" && output.columns !== "" && output.rows !== output.columns;
    case "mean":
      return ranged;
    case "quantile":
      return ranged && isDecimal(output.step) && (numberOf(output.percent) ?? 0) > 0;
    case "regression":
      return (
        ranged &&
        output.predictor !== "" &&
        output.predictor !== output.variable &&
        isDecimal(output.predictorLower) &&
        isDecimal(output.predictorUpper)
      );
    case "survival":
      return output.variable !== "" && output.event !== "" && listed(output.grid).length > 0;
    case "table":
      return output.variables.length > 0 && isWhole(output.k, MINIMUM, 1000);
    case "fhir":
      return output.categories.includes("demographics");
  }
}

/** What each step still lacks, in the order of the steps. The service checks everything again. */
export function gaps(draft: Draft): Record<Step, Gap[]> {
  const named = draft.outputs.map(({ name }) => name.trim());
  const epsilon = numberOf(draft.epsilon) ?? 0;
  const asked = [...KINDS, ...STATEMENTS].filter(({ argument }) => argument !== "none");
  const unargued = asked.some(
    ({ shorthand }) => shorthand in draft.statements && draft.statements[shorthand]?.trim() === "",
  );
  const when = (holds: boolean, gap: Gap): Gap[] => (holds ? [gap] : []);
  return {
    purpose: when(draft.title.trim() === "", "title"),
    terms: [
      ...when(draft.kind === "DS" && draft.disease.trim() === "", "disease"),
      ...when(unargued, "argument"),
    ],
    variables: when(draft.variables.length === 0, "variables"),
    cohort: [
      ...when(!isWhole(draft.minimumCohort, MINIMUM, 1_000_000), "minimumCohort"),
      ...when(
        draft.criteria.some(({ levels }) => levels.length === 0),
        "criteria",
      ),
    ],
    outputs: [
      ...when(draft.outputs.length === 0, "outputs"),
      ...when(named.some((name) => !NAME.test(name)) || new Set(named).size < named.length, "outputName"),
      ...when(!draft.outputs.every(isComplete), "outputFields"),
      ...when(
        hasTable(draft) &&
          draft.sealed &&
          ((draft.diversity !== "none" && !isDecimal(draft.l)) ||
            (draft.diversity === "recursive" && !isDecimal(draft.c))),
        "model",
      ),
    ],
    budget: [
      ...when(!(epsilon > 0 && epsilon <= 10), "epsilon"),
      ...when(!isWhole(draft.runs, 1, 366), "runs"),
      ...when(draft.paid && !/^[1-9]\d{0,38}$/.test(draft.amount.trim()), "amount"),
      ...when(draft.from === "" || draft.until === "" || draft.until < draft.from, "period"),
    ],
    papers: when(hasRecords(draft) && draft.papers.length === 0, "papers"),
    review: [],
  };
}

/** Which step has the field that the service names. */
export function stepOf(field: string): Step {
  const [member = ""] = field.split(".");
  switch (member) {
    case "title":
    case "purpose":
      return "purpose";
    case "duo":
      return "terms";
    case "variables":
      return "variables";
    case "minimum_cohort":
      return "cohort";
    case "outputs":
    case "dataset":
      return field.includes(".where") ? "cohort" : "outputs";
    case "epsilon":
    case "runs":
    case "price":
    case "not_before":
    case "not_after":
      return "budget";
    case "documents":
      return "papers";
    default:
      return "review";
  }
}

/** What stands in where a draft has no variable or question yet: its terms are matched all the same. */
const STAND_IN: { variable: Variable; output: OutputDraft } = {
  variable: {
    name: "sex",
    kind: "sex",
    role: "quasi",
    system: "",
    code: "",
    unit: "",
    edges: [],
    levels: [],
    reference_date: "",
    active_only: false,
  },
  output: emptyOutput("count", []),
};

export interface Question {
  body: Proposal;
  /** Whether price, error and loss are the draft's own. */
  isComplete: boolean;
}

/** What to ask a quote for: the draft where it is complete, else as much of it as can be asked for. */
export function quotable(draft: Draft, token: string | null): Question | null {
  const lacking = gaps(draft);
  if (lacking.terms.length > 0) {
    return null;
  }
  const whole = (["variables", "cohort", "outputs", "budget"] as const).every(
    (step) => lacking[step].length === 0,
  );
  const fallen = emptyDraft(Date.now(), "");
  const asked: Draft = whole
    ? { ...draft, papers: [], amends: null }
    : {
        ...fallen,
        from: fallen.from,
        kind: draft.kind,
        disease: draft.disease,
        statements: draft.statements,
        purpose: draft.purpose,
        variables:
          draft.variables.length > 0 ? draft.variables : [{ title: "", body: STAND_IN.variable, levels: [] }],
        outputs: [STAND_IN.output],
      };
  const body = proposalOf({ ...asked, title: draft.title.trim() || "draft" }, token);
  // Records need their papers, which a quote has no use for; what they would cost does not depend on them.
  return { body: { ...body, documents: hasRecords(asked) ? draft.papers : [] }, isComplete: whole };
}

/** A draft of a new version: everything of a stored proposal, as its fields have it. */
export function draftOf(stored: Proposal, offers: readonly Schemas["OfferView"][], key: string): Draft {
  const empty = emptyDraft(Date.now(), key);
  const terms = stored.duo.map(read).filter((one) => one !== null);
  const kind = terms.find(({ found }) => KINDS.includes(found));
  const table = stored.outputs.find((output) => output.kind === "table");
  const counted = stored.outputs.find((output) => output.where.length > 0);
  return {
    ...empty,
    title: stored.title,
    purpose: stored.purpose,
    kind: kind?.found.shorthand ?? empty.kind,
    disease: kind?.argument ?? "",
    statements: Object.fromEntries(
      terms
        .filter(({ found }) => STATEMENTS.includes(found))
        .map(({ found, argument }) => [found.shorthand, argument]),
    ),
    variables: stored.variables.map((body) => chosen(body, offers)),
    minimumCohort: String(stored.minimum_cohort),
    criteria: counted?.where ?? [],
    outputs: stored.outputs.map(outputDraftOf),
    ...(stored.dataset == null
      ? { sealed: table === undefined }
      : {
          sealed: true,
          mode: stored.dataset.mode,
          diversity: stored.dataset.diversity,
          l: stored.dataset.l,
          c: stored.dataset.c,
          t: stored.dataset.t,
        }),
    epsilon: String(stored.epsilon),
    runs: String(stored.runs),
    paid: stored.price != null,
    amount: stored.price?.amount ?? "",
    basis: stored.price?.basis ?? "patient",
    from: dateOf(stored.not_before),
    until: dateOf(stored.not_after),
    papers: stored.documents,
    carried: stored.documents.map(({ sha256 }) => sha256),
    amends: stored.amends ?? null,
  };
}

function outputDraftOf(output: Output): OutputDraft {
  const ranged = output.of ?? output.outcome ?? null;
  return {
    ...emptyOutput(output.kind, []),
    name: output.name,
    variable: ranged?.variable ?? (output.time || output.variable),
    rows: output.rows,
    columns: output.columns,
    lower: ranged?.lower ?? "",
    upper: ranged?.upper ?? "",
    decimals: String(ranged?.decimals ?? 0),
    predictor: output.predictor?.variable ?? "",
    predictorLower: output.predictor?.lower ?? "",
    predictorUpper: output.predictor?.upper ?? "",
    step: output.step,
    percent: String(output.per_mille / 10),
    event: output.event?.variable ?? "",
    grid: output.grid.join(", "),
    variables: output.variables,
    k: String(output.k),
    categories: output.categories,
  };
}

const FIXED: Record<string, string[]> = {
  condition: ["present", "absent", "other", "missing"],
  medication: ["present", "absent", "other", "missing"],
};

/** A variable with its title and levels, by the offer it came from where there is one. */
export function chosen(body: Variable, offers: readonly Schemas["OfferView"][]): ChosenVariable {
  const offer = offers.find(({ name, kind }) => name === body.name && kind === body.kind);
  return {
    title: offer?.title ?? body.name,
    body,
    levels: levelsOfEdges(body.edges) ??
      offer?.levels ??
      FIXED[body.kind] ?? [...body.levels, "other", "missing"],
  };
}

/** A variable of the catalogue as a proposal has it, with what the catalogue leaves out. */
export function variableOf(offer: Schemas["OfferView"]): Variable {
  return {
    ...STAND_IN.variable,
    role: "sensitive",
    ...(offer.variable as Partial<Variable> & Pick<Variable, "name" | "kind">),
  };
}
