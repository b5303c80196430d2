/** The terms of the GA4GH Data Use Ontology that a study states; labels stand in the texts, by shorthand. */

export type Argument = "none" | "text" | "months" | "date";

export interface DuoTerm {
  id: string;
  shorthand: string;
  argument: Argument;
}

const term = (number: string, shorthand: string, argument: Argument = "none"): DuoTerm => ({
  id: `DUO:${number}`,
  shorthand,
  argument,
});

/** Which kind of research it is: a study names exactly one. */
export const KINDS: readonly DuoTerm[] = [
  term("0000042", "GRU"),
  term("0000006", "HMB"),
  term("0000007", "DS", "text"),
  term("0000011", "POA"),
];

/** What a study states or undertakes beside it. */
export const STATEMENTS: readonly DuoTerm[] = [
  term("0000018", "NPUNCU"),
  term("0000045", "NPU"),
  term("0000046", "NCU"),
  term("0000019", "PUB"),
  term("0000024", "MOR", "date"),
  term("0000020", "COL"),
  term("0000029", "RTN"),
  term("0000025", "TS", "months"),
  term("0000022", "GS", "text"),
  term("0000028", "IS", "text"),
  term("0000026", "US", "text"),
  term("0000027", "PS", "text"),
  term("0000012", "RS", "text"),
  term("0000015", "NMDS"),
  term("0000016", "GSO"),
  term("0000044", "NPOA"),
];

/** A term as the service writes it. A date comes from its field as YYYY-MM-DD and leaves as YYYYMMDD. */
export function written(found: DuoTerm, argument: string): string {
  const given = found.argument === "date" ? argument.replaceAll("-", "") : argument.trim();
  return found.argument === "none" ? found.id : `${found.id}:${given}`;
}

/** The term and its argument, as the fields have them; null for one that no study states. */
export function read(text: string): { found: DuoTerm; argument: string } | null {
  const id = text.split(":", 2).join(":");
  const found = [...KINDS, ...STATEMENTS].find((one) => one.id === id);
  if (found === undefined) {
    return null;
  }
  const argument = text.slice(id.length + 1);
  return {
    found,
    argument:
      found.argument === "date"
        ? `${argument.slice(0, 4)}-${argument.slice(4, 6)}-${argument.slice(6)}`
        : argument,
  };
}
