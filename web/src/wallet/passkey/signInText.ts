/** The message that signs in (EIP-4361): nothing else is signed as text, and none for another site. */
import { parseSiweMessage } from "viem/siwe";
import { hexToString } from "viem/utils";
import { isSame } from "../accounts";
import { OtherSite, PasskeyError } from "./errors";

export function textOf(message: `0x${string}`): string {
  return hexToString(message);
}

/** Raises OtherSite where the service knows itself by another address than this page has. */
export function requireSite(text: string, account: string, page: Pick<Location, "host" | "origin">): void {
  const { domain, uri, address } = parseSiweMessage(text);
  if (domain === undefined || uri === undefined || address === undefined || !isSame(address, account)) {
    throw new PasskeyError("notSignIn");
  }
  if (domain !== page.host || originOf(uri) !== page.origin) {
    throw new OtherSite(uri);
  }
}

function originOf(uri: string): string | null {
  return URL.canParse(uri) ? new URL(uri).origin : null;
}
