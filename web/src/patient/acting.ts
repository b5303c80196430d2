/** For whom the pages act: the patient who is signed in, or one whose powers they hold. */
import { createContext, useContext } from "react";
import { useConsents, type Consent } from "../api/queries";
import { current } from "../session/tokens";
import { isSame } from "../wallet/signing";

export interface Acting {
  subject: string;
  isSelf: boolean;
}

export const ActingContext = createContext<Acting | null>(null);

export function useActing(): Acting {
  const acting = useContext(ActingContext);
  if (acting === null) {
    throw new Error("outside a patient's pages");
  }
  return acting;
}

export type Via = Record<string, unknown>[];

/** The delegations that a signature for this patient needs, own one first; none for oneself. */
export function useVia(): Via {
  const { subject, isSelf } = useActing();
  const consents = useConsents(subject);
  return isSelf ? [] : chainOf(consents.data ?? [], current()?.account ?? "");
}

const GIVES_POWER = new Set(["delegation", "guardianship"]);

export function chainOf(consents: readonly Consent[], account: string): Via {
  const powers = new Map(
    consents
      .filter((one) => GIVES_POWER.has(one.kind) && one.state === "live")
      .map((one) => [one.consent_id, one]),
  );
  const own = [...powers.values()].find(({ message }) => isSame(delegateIn(message), account));
  const chain: Via = [];
  for (let next = own; next !== undefined && chain.length < 4;) {
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
