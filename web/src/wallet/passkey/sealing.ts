/**
 * Seals an account's key under what its passkey gives (the PRF extension of WebAuthn).
 *
 * HKDF-SHA-256 makes an AES-256-GCM key of the secret. Its salt is fresh for each seal; version, the passkey's
 * domain and the account are bound into the derivation and into the seal, so that one account's seal opens as
 * nothing else.
 */

export type Bytes = Uint8Array<ArrayBuffer>;

export const VERSION = 1;
const SALT_BYTES = 32;
const NONCE_BYTES = 12;

/** What a seal holds for, and for nothing else. */
export interface Bound {
  rpId: string;
  account: string;
}

export interface Sealed {
  version: typeof VERSION;
  salt: Bytes;
  nonce: Bytes;
  content: Bytes;
}

/** The text that binds a seal: of one form only, whatever the spelling of the account. */
export function boundText({ rpId, account }: Bound): string {
  return ["assent passkey account", String(VERSION), rpId, account.toLowerCase()].join("\n");
}

export async function seal(key: Bytes, secret: Bytes, bound: Bound): Promise<Sealed> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const cipher = await cipherOf(secret, salt, bound, "encrypt");
  const content = await crypto.subtle.encrypt(parameters(nonce, bound), cipher, key);
  return { version: VERSION, salt, nonce, content: new Uint8Array(content) };
}

/** The key; whoever gets it wipes it. Raises OperationError where the secret or what is bound is another. */
export async function unseal({ salt, nonce, content }: Sealed, secret: Bytes, bound: Bound): Promise<Bytes> {
  const cipher = await cipherOf(secret, salt, bound, "decrypt");
  return new Uint8Array(await crypto.subtle.decrypt(parameters(nonce, bound), cipher, content));
}

async function cipherOf(
  secret: Bytes,
  salt: Bytes,
  bound: Bound,
  use: "encrypt" | "decrypt",
): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt, info: bytesOf(bound) };
  return crypto.subtle.deriveKey(derivation, material, { name: "AES-GCM", length: 256 }, false, [use]);
}

function parameters(nonce: Bytes, bound: Bound): AesGcmParams {
  return { name: "AES-GCM", iv: nonce, additionalData: bytesOf(bound) };
}

function bytesOf(bound: Bound): Bytes {
  return new TextEncoder().encode(boundText(bound));
}
