/** Checks that what a wallet is asked to sign about a recovery is what the page shows. */
import { isSame } from "../wallet/accounts";
import { OtherDraft } from "../wallet/typed";
import type { TypedData } from "../wallet/types";

const DOMAIN = "Assent Recovery";

export interface PolicyWish {
  subject: string;
  guardianships: readonly string[];
  threshold: number;
}

export function requirePolicy(typed: TypedData, wish: PolicyWish): void {
  const policy = (typed.message.policy ?? {}) as { guardianships?: unknown; threshold?: unknown };
  const named = Array.isArray(policy.guardianships) ? policy.guardianships.map(String) : [];
  const same =
    named.length === wish.guardianships.length &&
    named.every((name, place) => isSame(name, wish.guardianships[place] ?? ""));
  require(typed, "SetRecoveryPolicy", wish.subject, same && Number(policy.threshold) === wish.threshold);
}

/** Of a guardian (ProposeRecovery) or of the new account itself (AcceptRecovery). */
export function requireAccount(
  typed: TypedData,
  kind: "ProposeRecovery" | "AcceptRecovery",
  wish: { subject: string; account: string },
): void {
  require(typed, kind, wish.subject, isSame(String(typed.message.controller), wish.account));
}

export function requireVeto(typed: TypedData, subject: string): void {
  require(typed, "VetoRecovery", subject, true);
}

function require(typed: TypedData, kind: string, subject: string, holds: boolean): void {
  const { primaryType, domain, message } = typed;
  const about = String(message.subject);
  if (
    !holds ||
    primaryType !== kind ||
    domain.name !== DOMAIN ||
    !/^(0x[0-9a-fA-F]+|\d+)$/.test(about) ||
    BigInt(about) !== BigInt(subject)
  ) {
    throw new OtherDraft();
  }
}
