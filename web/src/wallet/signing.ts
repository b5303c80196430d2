/** Asks a wallet for an account, for a sign-in message, and for typed data. */
import { isSame } from "./accounts";
import { walletError, WalletError } from "./errors";
import { ensureChain } from "./network";
import type { Eip1193, TypedData } from "./types";

export async function connect(provider: Eip1193): Promise<string> {
  const account = await firstAccount(provider, "eth_requestAccounts");
  if (account === null) {
    throw new WalletError("noAccount");
  }
  return account;
}

export async function signText(provider: Eip1193, account: string, text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const hex = `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  return signature(provider, "personal_sign", [hex, account]);
}

/** Sign what the service drafted, with the account that is signed in and no other. */
export async function signTyped(provider: Eip1193, account: string, typed: TypedData): Promise<string> {
  await requireAccount(provider, account);
  const chainId = Number(typed.domain.chainId);
  if (Number.isSafeInteger(chainId)) {
    await ensureChain(provider, chainId);
  }
  return signature(provider, "eth_signTypedData_v4", [account, JSON.stringify(typed)]);
}

/** Raise WalletError unless the wallet would sign with this account. */
export async function requireAccount(provider: Eip1193, account: string): Promise<void> {
  const selected = await firstAccount(provider, "eth_accounts");
  if (selected === null) {
    await connect(provider); // locked, or never connected to this page: the wallet asks its user
  }
  if (!(await accounts(provider, "eth_accounts")).some((one) => isSame(one, account))) {
    throw new WalletError("otherAccount");
  }
}

async function signature(provider: Eip1193, method: string, params: string[]): Promise<string> {
  try {
    const signed = await provider.request({ method, params });
    if (typeof signed === "string" && /^0x[0-9a-fA-F]{2,}$/.test(signed)) {
      return signed;
    }
  } catch (failure) {
    throw walletError(failure);
  }
  throw new WalletError("failed");
}

async function firstAccount(provider: Eip1193, method: string): Promise<string | null> {
  return (await accounts(provider, method))[0] ?? null;
}

async function accounts(provider: Eip1193, method: string): Promise<string[]> {
  try {
    const found = await provider.request({ method });
    return Array.isArray(found) ? found.filter((one): one is string => typeof one === "string") : [];
  } catch (failure) {
    throw walletError(failure);
  }
}
