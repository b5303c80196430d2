/** What to do while the account that is signed in is asked for a signature. */
import { current } from "../session/tokens";
import { texts } from "../texts";
import { PASSKEY } from "./passkey/support";

export function waitingWords(): string {
  const who = current()?.who;
  return who?.kind === "wallet" && who.rdns === PASSKEY ? texts.passkeys.waiting : texts.wallet.waiting;
}
