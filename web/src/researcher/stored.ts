/** A proposal as it was signed and stored (`Proposal.as_json`), read back into the body it was proposed with. */
import type { Schemas } from "../api/client";
import type { Filter, Output, OutputKind, Proposal } from "./wizard/draft";
import type { Variable } from "./wizard/levels";

type Json = Record<string, unknown>;
type Bounds = [variable: string, lower: string, upper: string, decimals: number];
type Pairs = [string, string[]][];

const MILLION = 1_000_000;

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();

export function proposalFrom(stored: Json): Proposal {
  const found = stored as {
    title: string;
    purpose: string;
    duo: string[];
    variables: Json[];
    outputs: Json[];
    period: [number, number];
    epsilon: number;
    runs: number;
    minimum_cohort: number;
    price?: Schemas["PriceBody"] | null;
    documents?: Schemas["DocumentBody"][];
    dataset?: Schemas["DatasetBody"] | null;
    amends?: string | null;
  };
  return {
    title: found.title,
    purpose: found.purpose,
    duo: found.duo,
    variables: found.variables.map(variableFrom),
    outputs: found.outputs.map(outputFrom),
    not_before: at(found.period[0]),
    not_after: at(found.period[1]),
    epsilon: found.epsilon / MILLION,
    runs: found.runs,
    minimum_cohort: found.minimum_cohort,
    price: found.price ?? null,
    documents: found.documents ?? [],
    dataset: found.dataset ?? null,
    amends: found.amends == null ? null : `0x${found.amends}`,
  };
}

/** Columns of views are signed with the view's digest and categories, which a new proposal takes of today. */
function variableFrom(item: Json): Variable {
  const { source, course, ...rest } = item as unknown as Variable & { source?: Json; course?: Json };
  const column = (found: Json): { view: string; column: string; where: Record<string, string> } => ({
    view: String(found.view),
    column: String(found.column),
    where: Object.fromEntries(found.where as [string, string][]),
  });
  return {
    ...rest,
    ...(source == null ? {} : { source: { ...column(source), take: source.take } }),
    ...(course == null
      ? {}
      : {
          course: {
            unit: course.unit,
            index: column(course.index),
            event: column(course.event),
            end: column(course.end),
          },
        }),
  };
}

const filters = (pairs: unknown): Filter[] =>
  ((pairs ?? []) as Pairs).map(([variable, levels]) => ({ variable, levels }));

const bounds = (found: unknown): Schemas["BoundsBody"] => {
  const [variable, lower, upper, decimals] = found as Bounds;
  return { variable, lower, upper, decimals };
};

function outputFrom(item: Json): Output {
  if ("threshold" in item) {
    const exact = outputFrom({ name: item.name, ...(item.threshold as Json) });
    return { ...exact, kind: `threshold_${exact.kind}` as OutputKind };
  }
  const plain: Omit<Output, "kind"> = {
    name: String(item.name),
    variable: "",
    rows: "",
    columns: "",
    step: "",
    per_mille: 500,
    time: "",
    grid: [],
    variables: [],
    where: filters("count" in item ? item.count : item.where),
    k: 5,
    categories: [],
  };
  if ("table" in item) {
    return { ...plain, kind: "table", variables: item.table as string[], k: Number(item.k) };
  }
  if ("fhir" in item) {
    return { ...plain, kind: "fhir", categories: item.fhir as string[] };
  }
  if ("count" in item) {
    return { ...plain, kind: "count" };
  }
  if ("histogram" in item) {
    return { ...plain, kind: "histogram", variable: String(item.histogram) };
  }
  if ("contingency" in item) {
    const [rows = "", columns = ""] = item.contingency as string[];
    return { ...plain, kind: "contingency", rows, columns };
  }
  if ("mean" in item) {
    return { ...plain, kind: "mean", of: bounds(item.mean) };
  }
  if ("quantile" in item) {
    return {
      ...plain,
      kind: "quantile",
      of: bounds(item.quantile),
      step: String(item.step),
      per_mille: Number(item.per_mille),
    };
  }
  if ("regression" in item) {
    return { ...plain, kind: "regression", outcome: bounds(item.regression), predictor: bounds(item.on) };
  }
  const [variable, levels] = item.event as [string, string[]];
  return {
    ...plain,
    kind: "survival",
    time: String(item.survival),
    event: { variable, levels },
    grid: item.grid as string[],
  };
}
