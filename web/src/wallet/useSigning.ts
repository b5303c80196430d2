/** From a draft to a signature that the service took, one at a time, with what is going on for the page. */
import { useCallback, useEffect, useRef, useState } from "react";
import { deliver, type Signed } from "../session/outbox";
import { current } from "../session/tokens";
import { walletNamed } from "./discovery";
import { WalletError } from "./errors";
import { requireAccount, signText, signTyped } from "./signing";
import type { Eip1193, TypedData } from "./types";

export type SigningStage = "idle" | "drafting" | "wallet" | "sending";

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
  const [stage, setStage] = useState<SigningStage>("idle");
  const [error, setError] = useState<unknown>(null);
  const [result, setResult] = useState<T | null>(null);
  const busy = useRef(false);
  const gone = useRef(false);

  useEffect(() => {
    gone.current = false;
    return () => {
      gone.current = true; // what a wallet signs after its page was left is not sent
    };
  }, []);

  const run = useCallback(async (draft: () => Promise<ToSign>) => {
    if (busy.current) {
      return;
    }
    busy.current = true;
    setError(null);
    try {
      setStage("drafting");
      const { typed, signed } = await draft();
      setStage("wallet");
      const signature = await signWithSession(typed);
      if (gone.current) {
        return;
      }
      setStage("sending");
      setResult((await deliver(signed(signature))) as T);
    } catch (failure) {
      setError(failure);
    } finally {
      busy.current = false;
      setStage("idle");
    }
  }, []);

  const reset = useCallback(() => {
    setError(null);
    setResult(null);
  }, []);

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
