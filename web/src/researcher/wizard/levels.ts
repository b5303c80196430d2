/** The public levels of a variable: the service makes them in the same way (`backend/research/variables.py`). */
import type { Schemas } from "../../api/client";

export type Variable = Schemas["VariableBody"];

export const MISSING = "missing";

const NUMERIC: ReadonlySet<string> = new Set([
  "age",
  "birth_year",
  "laboratory",
  "vital_sign",
  "time_to_event",
]);

/** Whether figures of numbers (a mean, a quantile) may be asked of it. */
export function isNumeric(variable: Variable): boolean {
  return NUMERIC.has(variable.kind);
}

/** Levels of bins; null where they follow from something else than edges. */
export function levelsOfEdges(edges: readonly string[]): string[] | null {
  const [first] = edges;
  const last = edges.at(-1);
  if (first === undefined || last === undefined) {
    return null;
  }
  const inner = edges.slice(1).map((edge, place) => `[${edges[place] ?? ""},${edge})`);
  return [`<${first}`, ...inner, `>=${last}`, MISSING];
}

const LEAST_EDGES = 2;
const MOST_EDGES = 200;

/** Bins as they are typed: numbers apart by commas, ascending; null where they are not. */
export function edgesOf(text: string): string[] | null {
  const edges = text.split(",").map((one) => one.trim());
  const numbers = edges.map((edge) => (/^-?\d+(\.\d+)?$/.test(edge) ? Number(edge) : Number.NaN));
  const ascending = numbers.every(
    (number, place) => Number.isFinite(number) && (place === 0 || number > (numbers[place - 1] ?? Infinity)),
  );
  return ascending && edges.length >= LEAST_EDGES && edges.length <= MOST_EDGES ? edges : null;
}
