/** For whom the pages act: the patient who is signed in, or one whose powers they hold. */
import { createContext, useContext } from "react";
import { useConsents } from "../api/queries";
import { currentAccount } from "../session/tokens";
import { chainOf, type Via } from "./chain";

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
