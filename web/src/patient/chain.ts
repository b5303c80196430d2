/** The delegations that a signature rests on. */
import type { Consent } from "../api/queries";
import { isSame } from "../wallet/accounts";

/** As messages, the signer's own first; none where the patient signs. */
export type Via = Record<string, unknown>[];

const MAX_LINKS = 4;
const GIVES_POWER = new Set(["delegation", "guardianship"]);

export function chainOf(consents: readonly Consent[], account: string): Via {
  const powers = new Map(
    consents
      .filter((one) => GIVES_POWER.has(one.kind) && one.state === "live")
      .map((one) => [one.consent_id, one]),
  );
  const own = [...powers.values()].find(({ message }) => isSame(delegateIn(message), account));
  const chain: Via = [];
  for (let next = own; next !== undefined && chain.length < MAX_LINKS;) {
    chain.push(next.message);
    const { parent } = next.message;
    next = typeof parent === "string" ? powers.get(parent) : undefined;
  }
  return chain;
}

function delegateIn(message: Record<string, unknown>): string {
  const terms = (message.terms ?? {}) as Record<string, unknown>;
  const found = message.delegate ?? terms.delegate;
  return typeof found === "string" ? found : "";
}
