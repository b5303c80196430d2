/** How the entries of a bundle will be filed, counted. */
import type { Schemas } from "../../api/client";

export interface Filing {
  entries: number;
  /** Entries that no table knows. */
  unknown: number;
  categories: [code: string, entries: number][];
  sensitivities: [code: string, entries: number][];
}

export function filingOf({ entries }: Schemas["LabelsView"]): Filing {
  return {
    entries: entries.length,
    unknown: entries.filter((entry) => !entry.known).length,
    categories: counted(entries.flatMap((entry) => entry.categories)),
    sensitivities: counted(entries.filter((entry) => entry.known).flatMap((entry) => entry.sensitivities)),
  };
}

/** Most frequent first; of the same count, in the order in which they came. */
function counted(codes: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  codes.forEach((code) => counts.set(code, (counts.get(code) ?? 0) + 1));
  return [...counts].sort(([, left], [, right]) => right - left);
}
