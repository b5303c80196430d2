/** The accounts that passkeys of this device hold: sealed keys, in this browser's own storage and nowhere else. */
import { isSame } from "../accounts";
import { PasskeyError } from "./errors";
import type { Bytes, Sealed } from "./sealing";

const NAME = "assent";
const ACCOUNTS = "passkey-accounts";

export interface PasskeyAccount {
  account: string;
  rpId: string;
  /** Which passkey to ask, and what to ask it for. */
  credential: Bytes;
  input: Bytes;
  sealed: Sealed;
  createdAt: string;
}

export function storedAccounts(): Promise<PasskeyAccount[]> {
  return within("readonly", (accounts) => accounts.getAll() as IDBRequest<PasskeyAccount[]>);
}

export async function storedAccount(account: string): Promise<PasskeyAccount> {
  const found = (await storedAccounts()).find((one) => isSame(one.account, account));
  if (found === undefined) {
    throw new PasskeyError("unknown");
  }
  return found;
}

export async function store(account: PasskeyAccount): Promise<void> {
  // Without it a browser that runs out of space may drop the key. A refusal is not told: nothing can be done.
  await navigator.storage.persist().catch(() => false);
  await within("readwrite", (accounts) => accounts.add(account));
}

async function within<T>(
  mode: IDBTransactionMode,
  work: (accounts: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  let database: IDBDatabase | null = null;
  try {
    database = await opened();
    const transaction = database.transaction(ACCOUNTS, mode, { durability: "strict" });
    const request = work(transaction.objectStore(ACCOUNTS));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = (): void => resolve();
      transaction.onabort = (): void => reject(transaction.error ?? new Error("aborted"));
    });
    return request.result;
  } catch {
    throw new PasskeyError("storage");
  } finally {
    database?.close();
  }
}

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = (): void => {
      request.result.createObjectStore(ACCOUNTS, { keyPath: "account" });
    };
    request.onsuccess = (): void => resolve(request.result);
    request.onerror = (): void => reject(request.error ?? new Error("not opened"));
  });
}
