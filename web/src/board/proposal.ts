/** A proposal in plain words. What has no words here stands in the whole text, which is always one click away. */
import { asList } from "../format/time";
import { board } from "../texts/board";

const OUTPUTS = board.outputs;
const MILLIONTHS = 1_000_000;

type Json = Record<string, unknown>;

export interface Variable {
  name: string;
  what: string;
  role: string;
  groups: string[];
}

export interface Proposal {
  researcher: string;
  title: string;
  purpose: string;
  from: string;
  to: string;
  epsilon: string;
  runs: number;
  minimumCohort: number;
  duo: string[];
  variables: Variable[];
  outputs: { name: string; what: string; leavesRecords: boolean }[];
  price: { amount: string; basis: string; token: string } | null;
  dataset: string | null;
}

export function readProposal(text: Json): Proposal {
  const [from = 0, to = 0] = listOf(text.period).map(Number);
  return {
    researcher: `0x${wordOf(text.researcher)}`,
    title: wordOf(text.title),
    purpose: wordOf(text.purpose),
    from: new Date(from * 1000).toISOString(),
    to: new Date(to * 1000).toISOString(),
    epsilon: String(Number(text.epsilon) / MILLIONTHS),
    runs: Number(text.runs),
    minimumCohort: Number(text.minimum_cohort),
    duo: listOf(text.duo).map(wordOf),
    variables: listOf(text.variables).map((item) => variableOf(mapOf(item))),
    outputs: listOf(text.outputs).map((item) => {
      const output = mapOf(item);
      return { name: wordOf(output.name), what: outputWords(output), leavesRecords: "fhir" in output };
    }),
    price: priceOf(mapOf(text.price)),
    dataset: datasetOf(mapOf(text.dataset)),
  };
}

function variableOf(item: Json): Variable {
  const kind = wordOf(item.kind);
  const coded = [wordOf(item.system), wordOf(item.code)].filter((part) => part !== "").join("|");
  const unit = wordOf(item.unit);
  const words = [board.proposal.kinds[kind] ?? kind, coded, unit === "" ? "" : `(${unit})`];
  const role = wordOf(item.role);
  return {
    name: wordOf(item.name),
    what: words.filter((part) => part !== "").join(" "),
    role: board.proposal.roles[role] ?? role,
    groups: [...listOf(item.levels), ...listOf(item.edges)].map(wordOf),
  };
}

/** One output as a sentence; what is not known by its shape is shown as it is written. */
export function outputWords(output: Json): string {
  const sentence = sentenceOf(output);
  const filters = listOf("count" in output ? output.count : output.where).map((item) => {
    const [variable, levels] = listOf(item);
    return OUTPUTS.filter(wordOf(variable), asList(listOf(levels).map(wordOf)));
  });
  return filters.length === 0 ? sentence : `${sentence}, ${OUTPUTS.where(asList(filters))}`;
}

function sentenceOf(output: Json): string {
  if ("threshold" in output) {
    return OUTPUTS.threshold(outputWords(mapOf(output.threshold)));
  }
  if ("fhir" in output) {
    return OUTPUTS.fhir(asList(listOf(output.fhir).map(wordOf)));
  }
  if ("table" in output) {
    return OUTPUTS.table(asList(listOf(output.table).map(wordOf)), Number(output.k));
  }
  if ("count" in output) {
    return OUTPUTS.count;
  }
  if ("histogram" in output) {
    return OUTPUTS.histogram(wordOf(output.histogram));
  }
  if ("contingency" in output) {
    const [rows, columns] = listOf(output.contingency).map(wordOf);
    return OUTPUTS.contingency(rows ?? "", columns ?? "");
  }
  if ("mean" in output) {
    const [variable, from, to] = listOf(output.mean).map(wordOf);
    return OUTPUTS.mean(variable ?? "", from ?? "", to ?? "");
  }
  if ("quantile" in output) {
    const [variable] = listOf(output.quantile).map(wordOf);
    return OUTPUTS.quantile(variable ?? "", String(Number(output.per_mille) / 10));
  }
  if ("regression" in output) {
    const [[outcome], [predictor]] = [listOf(output.regression).map(wordOf), listOf(output.on).map(wordOf)];
    return OUTPUTS.regression(outcome ?? "", predictor ?? "");
  }
  if ("survival" in output) {
    const [variable, levels] = listOf(output.event);
    const event = OUTPUTS.filter(wordOf(variable), asList(listOf(levels).map(wordOf)));
    return OUTPUTS.survival(wordOf(output.survival), event);
  }
  return JSON.stringify(output);
}

function priceOf({ amount, basis, token }: Json): Proposal["price"] {
  const kind = wordOf(basis);
  return token === undefined
    ? null
    : { amount: wordOf(amount), basis: board.proposal.bases[kind] ?? kind, token: wordOf(token) };
}

function datasetOf(dataset: Json): string | null {
  const said = Object.entries(dataset).filter(([, value]) => value !== "" && value !== "none");
  return said.length === 0 ? null : said.map(([name, value]) => `${name}: ${wordOf(value)}`).join(", ");
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function mapOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function wordOf(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}
