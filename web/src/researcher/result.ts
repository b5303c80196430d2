/** What a run gave, as the service sends it (`RunResult.as_json`). */
export interface Estimate {
  name: string;
  /** Decimals as text; empty where the noise hides them. */
  value: string;
  low: string;
  high: string;
}

export interface Answer {
  name: string;
  kind: string;
  id: string;
  levels: string[];
  values: number[];
  error_95: number;
  rho: number;
  estimates: Estimate[];
  method: string;
}

/** Exact figures of large groups: null where a cell is withheld. */
export interface ThresholdAnswer {
  name: string;
  levels: string[];
  values: (number | null)[];
}

export interface Report {
  k_asked: number;
  k_reached: number;
  rows_released: number;
  rows_suppressed: number;
  classes: number;
  class_sizes: number[];
  average_class: string;
  loss: string;
  loss_by_column: Record<string, string>;
}

export interface ReleasedTable {
  columns: string[];
  quasi_identifiers: string[];
  rows: string[][];
  report: Report;
}

export interface RunResult {
  run: string;
  digest: string;
  block: number;
  included: [number, number];
  excluded: [number, number];
  answers: Answer[];
  thresholds: ThresholdAnswer[];
  threshold_method: string;
  threshold_refusal: string;
  table: ReleasedTable | null;
  table_refusal: string;
  epsilon: string;
  delta_exponent: number;
  fhir?: Record<string, unknown> | null;
  fhir_refusal?: string;
}

/** A cell of a CSV file, quoted where it must be; never read as a formula by a spreadsheet. */
function cell(value: string): string {
  const safe = /^[=+@\t\r]/.test(value) || /^-(?!\d)/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csv(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** An answer as a table: its estimates where it has any, else its levels. */
export function tableOf(answer: Answer): { head: string[]; rows: string[][] } {
  return answer.estimates.length > 0 && answer.kind !== "contingency"
    ? {
        head: ["name", "value", "low", "high"],
        rows: answer.estimates.map(({ name, value, low, high }) => [name, value, low, high]),
      }
    : {
        head: ["level", "value", "error_95"],
        rows: answer.levels.map((level, place) => [
          level,
          String(answer.values[place] ?? ""),
          String(answer.error_95),
        ]),
      };
}
