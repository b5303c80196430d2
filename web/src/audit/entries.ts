/** An entry of the log as the auditor's pages show it, from whichever list it came. */
import type { Access } from "../api/queries";
import { texts } from "../texts";
import { audit } from "../texts/audit";

export interface Entry extends Omit<Access, "groups"> {
  groups: string[];
  /** The patient whom it is about; null of the system's entries. */
  subject: string | null;
}

export function entryOfSystem(entry: Access): Entry {
  return { ...entry, groups: entry.groups.map(({ id }) => id), subject: null };
}

/** Who did it: the kind, and the id that says who exactly. */
export function actorOf({ actor }: Pick<Entry, "actor">): { kind: string; id: string } {
  const [, kind = "", id = ""] = /^(\w+):(.*)$/.exec(actor ?? "") ?? [];
  return { kind: audit.log.kinds[kind] ?? kind, id };
}

export function typeWords(type: string): string {
  return audit.types[type] ?? texts.accesses.types[type] ?? type;
}

/** Every type that there are words for, in the order of the words. */
export function knownTypes(): [string, string][] {
  return Object.entries({ ...texts.accesses.types, ...audit.types }).sort(([, left], [, right]) =>
    left.localeCompare(right),
  );
}
