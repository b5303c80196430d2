/** Checks that what a wallet is asked to sign about a recovery is what the page shows. */
import { requireShown } from "../wallet/typed";
import type { TypedData } from "../wallet/types";

const DOMAIN = "Assent Recovery";

export interface PolicyWish {
  subject: string;
  guardianships: readonly string[];
  threshold: number;
}

export function requirePolicy(typed: TypedData, { subject, guardianships, threshold }: PolicyWish): void {
  const policy = { guardianships, threshold };
  requireShown(typed, "SetRecoveryPolicy", DOMAIN, { subject: BigInt(subject), policy });
}

/** Of a guardian (ProposeRecovery) or of the new account itself (AcceptRecovery). */
export function requireAccount(
  typed: TypedData,
  kind: "ProposeRecovery" | "AcceptRecovery",
  { subject, account }: { subject: string; account: string },
): void {
  requireShown(typed, kind, DOMAIN, { subject: BigInt(subject), controller: account });
}

export function requireVeto(typed: TypedData, subject: string): void {
  requireShown(typed, "VetoRecovery", DOMAIN, { subject: BigInt(subject) });
}
