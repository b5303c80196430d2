/** From a draft to a signature that the service took, one at a time, with what is going on for the page. */
import { useCallback, useState } from "react";
import { deliver, type Signed } from "../session/outbox";
import { current } from "../session/tokens";
import { walletNamed } from "./discovery";
import { WalletError } from "./errors";
import { requireAccount, signText, signTyped } from "./signing";
import type { Eip1193, TypedData } from "./types";
import { useTurn, type SigningStage } from "./useTurn";

export interface ToSign {
  typed: TypedData;
  /** What to send, once signed. */
  signed: (signature: string) => Signed;
}

export interface Signing<T> {
  stage: SigningStage;
  error: unknown;
  result: T | null;
  /** Ask for a draft, have it signed, send it. A second call while one is under way does nothing. */
  run: (draft: () => Promise<ToSign>) => Promise<void>;
  reset: () => void;
}

export function useSigning<T>(): Signing<T> {
  const { stage, error, setStage, forget, isGone, take } = useTurn();
  const [result, setResult] = useState<T | null>(null);

  const run = useCallback(
    (draft: () => Promise<ToSign>) =>
      take(async () => {
        setStage("drafting");
        const { typed, signed } = await draft();
        setStage("wallet");
        const signature = await signWithSession(typed);
        if (isGone()) {
          return;
        }
        setStage("sending");
        setResult((await deliver(signed(signature))) as T);
      }),
    [take, setStage, isGone],
  );

  const reset = useCallback(() => {
    forget();
    setResult(null);
  }, [forget]);

  return { stage, error, result, run, reset };
}

/** Have the wallet of the session sign. Raises WalletError. */
export async function signWithSession(typed: TypedData): Promise<string> {
  const { provider, account } = await sessionWallet();
  return signTyped(provider, account, typed);
}

/** Have it sign a text, which it shows as it is. Raises WalletError. */
export async function signTextWithSession(text: string): Promise<string> {
  const { provider, account } = await sessionWallet();
  await requireAccount(provider, account);
  return signText(provider, account, text);
}

async function sessionWallet(): Promise<{ provider: Eip1193; account: string }> {
  const who = current()?.who;
  const wallet = who?.kind === "wallet" ? await walletNamed(who.rdns) : null;
  if (who?.kind !== "wallet" || wallet === null) {
    throw new WalletError("missing");
  }
  return { provider: wallet.provider, account: who.account };
}
