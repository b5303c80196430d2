/** What the token of a deployment is called and how it is divided, asked of the token itself (ERC-20). */
import { askNode } from "../../api/node";
import type { Unit } from "./money";

const DECIMALS = "0x313ce567";
const SYMBOL = "0x95d89b41";
const WORD = 64; // hex digits
const MOST_DECIMALS = 36;
const LONGEST_SYMBOL = 12;

/** Null for a token that does not say. */
export async function unitOf(token: string): Promise<Unit | null> {
  const [decimals, symbol] = await Promise.all(
    [DECIMALS, SYMBOL].map((data) => askNode("eth_call", [{ to: token, data }, "latest"])),
  );
  return readUnit(decimals, symbol);
}

export function readUnit(decimals: unknown, symbol: unknown): Unit | null {
  const name = readString(symbol);
  const digits = typeof decimals === "string" && decimals.length === WORD + 2 ? Number(decimals) : NaN;
  if (name === null || !Number.isInteger(digits) || digits > MOST_DECIMALS) {
    return null;
  }
  return { symbol: name, decimals: digits };
}

/** A string as contracts return one: where it begins, its length, its bytes. */
function readString(answer: unknown): string | null {
  if (typeof answer !== "string") {
    return null;
  }
  const hex = answer.slice(2);
  const length = parseInt(hex.slice(WORD, 2 * WORD), 16);
  const bytes = hex.slice(2 * WORD, 2 * WORD + 2 * length);
  if (!(length > 0) || length > LONGEST_SYMBOL || bytes.length !== 2 * length) {
    return null;
  }
  const codes = bytes.match(/../g) ?? [];
  return new TextDecoder().decode(Uint8Array.from(codes, (code) => parseInt(code, 16)));
}
