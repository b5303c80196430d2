/** Checks that what a wallet is asked to sign is what the page shows. */
import { hashStruct } from "viem/utils";
import type { TypedData } from "./types";

/** No end, as the ledger writes it: the last second that its times can name. */
const UNBOUNDED = 2 ** 40 - 1;

/** The EIP-712 struct hash of the message: of a consent its id, under which the chain keeps it. */
export function idOf({ primaryType, types, message }: Omit<TypedData, "domain">): string {
  return hashStruct({ data: message, primaryType, types });
}

/** Raised before the wallet is asked: the service drafted something else than it showed. */
export class OtherDraft extends Error {
  override readonly name = "OtherDraft";
}

/** Numbers, numbers in hex, texts, and what is made of them. */
export type Shown = number | bigint | string | readonly Shown[] | { readonly [name: string]: Shown };

/** Hold what is to be signed against the id and the words that go with it, and each member that was shown. */
export function requireDraft(
  typed: TypedData,
  draft: { consent_id: string; summary: string },
  shown: Readonly<Record<string, Shown>>,
): void {
  const document = documentIn(typed);
  const terms = document.message.terms as { summary?: unknown } | undefined;
  const isShown = terms?.summary === draft.summary && holds(document.message, shown);
  if (!isShown || idOf(document) !== draft.consent_id) {
    throw new OtherDraft();
  }
}

/** The mask of codes, by the bits of the published tables. Raises OtherDraft for a code without one. */
export function maskOf(bits: Readonly<Record<string, number>>, codes: readonly string[]): bigint {
  return codes.reduce((mask, code) => {
    const bit = bits[code];
    if (bit === undefined) {
      throw new OtherDraft();
    }
    return mask | (1n << BigInt(bit));
  }, 0n);
}

/** A moment as the ledger writes it, in seconds; none is no end. */
export function secondsOf(moment: string | null): number {
  return moment === null ? UNBOUNDED : Math.floor(Date.parse(moment) / 1000);
}

/** The grant or delegation itself, without the form of a delegate that names its power. */
function documentIn({ primaryType, types, message }: TypedData): Omit<TypedData, "domain"> {
  switch (primaryType) {
    case "Grant":
    case "Delegation":
      return { primaryType, types, message };
    case "DelegatedGrant":
      return { primaryType: "Grant", types, message: message.grant as Record<string, unknown> };
    default:
      throw new OtherDraft();
  }
}

/** Hold any other message against what was shown of it. `name`: of the contract that it is for. */
export function requireShown(
  { primaryType, domain, message }: TypedData,
  kind: string,
  name: string,
  shown: Readonly<Record<string, Shown>>,
): void {
  if (primaryType !== kind || domain.name !== name || !holds(message, shown)) {
    throw new OtherDraft();
  }
}

function holds(message: unknown, shown: Shown): boolean {
  if (typeof shown === "string") {
    return typeof message === "string" && message.toLowerCase() === shown.toLowerCase();
  }
  if (typeof shown !== "object") {
    return /^(0x[0-9a-f]+|[0-9]+)$/i.test(String(message)) && BigInt(String(message)) === BigInt(shown);
  }
  if (typeof message !== "object" || message === null) {
    return false;
  }
  if (Array.isArray(shown) && (message as { length?: number }).length !== shown.length) {
    return false;
  }
  return Object.entries(shown).every(([name, each]) =>
    holds((message as Record<string, unknown>)[name], each as Shown),
  );
}
