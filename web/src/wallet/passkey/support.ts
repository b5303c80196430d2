/** Whether passkeys can hold an account in this browser, at this address. */
import type { Failing } from "./errors";

/** Names the wallet that passkeys are, beside those of EIP-6963. */
export const PASSKEY = "org.assent.passkey";

const IP_ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|\[[\da-f:.]+\])$/i;

export interface Place {
  hostname: string;
  isSecure: boolean;
  hasPasskeys: boolean;
  /** What the browser says of the PRF extension; null where it does not say. */
  prf: boolean | null;
}

/** Why not, or null where nothing speaks against it. That an authenticator has PRF shows only when it is asked. */
export function hindrance({ hostname, isSecure, hasPasskeys, prf }: Place): Failing | null {
  if (IP_ADDRESS.test(hostname)) {
    return "address";
  }
  if (!isSecure || !hasPasskeys) {
    return isSecure ? "none" : "place";
  }
  return prf === false ? "noPrf" : null;
}

export async function here(): Promise<Place> {
  const hasPasskeys = typeof PublicKeyCredential === "function";
  return {
    hostname: location.hostname,
    isSecure: isSecureContext,
    hasPasskeys,
    prf: hasPasskeys ? await browserHasPrf() : null,
  };
}

async function browserHasPrf(): Promise<boolean | null> {
  // Not there in older browsers, whatever the types say.
  const browser = PublicKeyCredential as unknown as {
    getClientCapabilities?: () => Promise<Partial<Record<string, boolean>>>;
  };
  const found = await browser.getClientCapabilities?.().catch(() => null);
  return found?.["extension:prf"] ?? null;
}
