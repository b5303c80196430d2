/** Purposes in the few groups that a person thinks in; whatever is in none of them is "other". */

export const GROUPS = {
  own: ["PATRQT", "FAMRQT", "PWATRNY", "SUPNWK"],
  care: ["TREAT", "COC", "CAREMGT", "TREATDS", "ERTREAT", "ETREAT"],
  payment: [
    "HPAYMT",
    "CLMATTCH",
    "COVAUTH",
    "COVERAGE",
    "ELIGDTRM",
    "ELIGVER",
    "ENROLLM",
    "PMTDS",
    "REMITADV",
  ],
  research: [
    ...["HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH", "DSRCH", "POARCH"],
    ...["TRANSRCH", "CLINTRL"],
  ],
} as const;

export type Group = keyof typeof GROUPS | "other";

/** The codes of these groups, in the table's order. */
export function codesOf(groups: readonly Group[], all: readonly string[]): string[] {
  const placed = new Set<string>(Object.values(GROUPS).flat());
  const wanted = new Set<string>(
    groups.flatMap((group): readonly string[] => (group === "other" ? [] : GROUPS[group])),
  );
  return all.filter((code) => wanted.has(code) || (groups.includes("other") && !placed.has(code)));
}
