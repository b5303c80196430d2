/** For whom the pages act: the patient who is signed in, or one whose powers they hold. */
import { createContext, useContext } from "react";
import { useConsents } from "../api/queries";
import { currentAccount } from "../session/tokens";
import { isSame } from "../wallet/accounts";
import { chainOf, type Via } from "./chain";
import { isStanding, lookAgain, powersIn, type Held } from "./delegation";

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

/** The delegations that a signature for this patient needs, own one first; none for oneself. */
export function useVia(): Via {
  const { subject, isSelf } = useActing();
  const consents = useConsents(subject);
  return isSelf ? [] : chainOf(consents.data ?? [], currentAccount() ?? "");
}

/** The delegation that makes this a further device of the patient; null where it is none. */
export function useOwnDevice(): Held | null {
  const { subject, isSelf } = useActing();
  const consents = useConsents(subject, isSelf ? undefined : lookAgain);
  const account = currentAccount() ?? "";
  const own = powersIn(consents.data ?? []).find(
    (one) => one.isDevice && isStanding(one) && isSame(one.account, account),
  );
  return own ?? null;
}
