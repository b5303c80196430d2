/** What typed data says, for whoever is asked to sign it. Nothing of it is left out. */
import { texts } from "../../texts";
import type { TypedData } from "../types";

const PAGE = texts.passkeys.confirm;

export interface InWords {
  title: string;
  /** The words that are signed themselves; null where the message carries none. */
  summary: string | null;
  /** Every other member, in the order of its types, by its path. */
  members: readonly (readonly [path: string, value: string])[];
}

export function inWords({ primaryType, types, message, domain }: TypedData): InWords {
  const found = [...membersOf("", primaryType, message, types)];
  const summary = found.find(([path]) => path === "summary" || path.endsWith(".summary"));
  return {
    title: PAGE.titles[primaryType] ?? PAGE.other(primaryType),
    summary: summary?.[1] ?? null,
    members: [
      ...found.filter((one) => one !== summary),
      ...Object.entries(domain).map(([name, value]) => [`domain.${name}`, String(value)] as const),
    ],
  };
}

function* membersOf(
  path: string,
  type: string,
  value: unknown,
  types: TypedData["types"],
): Generator<readonly [string, string]> {
  const array = /^(.*)\[\d*\]$/.exec(type);
  if (array !== null && Array.isArray(value)) {
    if (value.length === 0) {
      yield [path, PAGE.none];
    }
    for (const [place, item] of value.entries()) {
      yield* membersOf(`${path}[${place}]`, array[1] ?? "", item, types);
    }
    return;
  }
  const members = types[type];
  if (members === undefined) {
    yield [path, String(value)];
    return;
  }
  for (const { name, type: inner } of members) {
    const next = (value as Record<string, unknown>)[name];
    yield* membersOf(path === "" ? name : `${path}.${name}`, inner, next, types);
  }
}
