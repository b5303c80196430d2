/** The key of an account: made here, in memory for one signature, then wiped. */
import { secp256k1 } from "@noble/curves/secp256k1";
import { bytesToHex, hashMessage, hashTypedData, publicKeyToAddress } from "viem/utils";
import type { Hex } from "viem";
import type { TypedData } from "../types";
import { askPasskey, makePasskey } from "./authenticator";
import { PasskeyError } from "./errors";
import { seal, unseal, type Bytes } from "./sealing";
import { store, storedAccount, type PasskeyAccount } from "./store";

/**
 * Make an account with a random key, sealed under a new passkey. `check` is asked before anything is made, and
 * stops it by raising. Raises ToldError.
 */
export async function makeAccount(
  rpId: string,
  check: (account: string) => Promise<void>,
): Promise<PasskeyAccount> {
  const key = secp256k1.utils.randomPrivateKey() as Bytes;
  try {
    const account = accountOf(key);
    await check(account);
    const made = await makePasskey(rpId, account);
    const secret = made.secret ?? (await askPasskey(made.passkey));
    const sealed = await seal(key, secret, { rpId, account });
    secret.fill(0);
    const kept = { ...made.passkey, account, sealed, createdAt: new Date().toISOString() };
    await store(kept);
    return kept;
  } finally {
    key.fill(0);
  }
}

export function signMessage(account: string, message: Hex): Promise<Hex> {
  return sign(account, hashMessage({ raw: message }));
}

export function signTypedData(account: string, typed: TypedData): Promise<Hex> {
  return sign(account, hashTypedData(typed as never));
}

async function sign(account: string, hash: Hex): Promise<Hex> {
  const found = await storedAccount(account);
  const secret = await askPasskey(found);
  let key: Bytes;
  try {
    key = await unseal(found.sealed, secret, found);
  } catch {
    throw new PasskeyError("otherKey");
  } finally {
    secret.fill(0);
  }
  try {
    return signatureOf(hash, key);
  } finally {
    key.fill(0);
  }
}

/** 65 bytes `r || s || v` in hex, s low (EIP-2). */
export function signatureOf(hash: Hex, key: Bytes): Hex {
  const signature = secp256k1.sign(hash.slice(2), key, { lowS: true });
  const v = 27 + signature.recovery;
  return `0x${signature.toCompactHex()}${v.toString(16)}`;
}

export function accountOf(key: Bytes): string {
  return publicKeyToAddress(bytesToHex(secp256k1.getPublicKey(key, false)));
}
