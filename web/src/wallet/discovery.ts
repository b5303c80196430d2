/** Finds the wallets of this browser (EIP-6963), however late they announce themselves. */
import { useSyncExternalStore } from "react";
import { PASSKEY } from "./passkey/support";
import type { Wallet } from "./types";

let found: readonly Wallet[] = [];
const listeners = new Set<() => void>();

addEventListener("eip6963:announceProvider", (event) => {
  const wallet = (event as CustomEvent<Wallet>).detail;
  if (!found.some((one) => one.info.uuid === wallet.info.uuid)) {
    found = [...found, wallet];
    listeners.forEach((listener) => listener());
  }
});
dispatchEvent(new Event("eip6963:requestProvider"));

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useWallets(): readonly Wallet[] {
  return useSyncExternalStore(subscribe, () => found);
}

/** The wallet of this name, as soon as it is there; null when it does not announce itself in time. */
export async function walletNamed(rdns: string, patienceMs = 1500): Promise<Wallet | null> {
  return rdns === PASSKEY ? (await import("./passkey/wallet")).passkeyWallet() : announced(rdns, patienceMs);
}

function announced(rdns: string, patienceMs: number): Promise<Wallet | null> {
  return new Promise((resolve) => {
    const look = (): boolean => {
      const wallet = found.find((one) => one.info.rdns === rdns);
      if (wallet !== undefined) {
        finish(wallet);
      }
      return wallet !== undefined;
    };
    const finish = (wallet: Wallet | null): void => {
      clearTimeout(timer);
      listeners.delete(look);
      resolve(wallet);
    };
    const timer = setTimeout(() => finish(null), patienceMs);
    listeners.add(look);
    if (!look()) {
      dispatchEvent(new Event("eip6963:requestProvider"));
    }
  });
}
