/** What witnesses said of a checkpoint (C2SP tlog-cosignature): checked here where it is Ed25519. */
import { ed25519 } from "@noble/curves/ed25519";
import { readKey, readNote } from "./checkpoint";

const TIMED = 4; // first byte of a verifier key: Ed25519 over the time and the note's text
const TIME_BYTES = 8;
const ENCODER = new TextEncoder();

export interface Witness {
  name: string;
  /** good: it cosigned, checked here; broken: its line is wrong; unchecked: with a key of another kind alone. */
  state: "good" | "broken" | "unchecked" | "absent";
  /** Unix seconds that stand in its cosignature; of "good" alone. */
  at: number | null;
}

/** For each witness that the service lists: whether it cosigned this checkpoint. */
export function witnessesOf(note: string, keys: readonly string[]): Witness[] {
  const { text, lines } = readNote(note);
  const known = keys.map(readKey);
  const names = [...new Set(known.map(({ name }) => name))];
  return names.map((name) => {
    const own = known.filter((key) => key.name === name);
    const signed = lines.filter((line) => own.some(({ id }) => line.name === name && line.id === id));
    const timed = own.find(({ kind }) => kind === TIMED);
    const line = signed.find(({ id }) => id === timed?.id);
    if (timed === undefined || line === undefined) {
      return { name, state: signed.length > 0 ? "unchecked" : "absent", at: null };
    }
    const at = timeIn(line.signature);
    const message = ENCODER.encode(`cosignature/v1\ntime ${at}\n${text}`);
    return isSigned(line.signature.slice(TIME_BYTES), message, timed.key)
      ? { name, state: "good", at }
      : { name, state: "broken", at: null };
  });
}

function timeIn(signature: Uint8Array): number {
  return signature.slice(0, TIME_BYTES).reduce((sum, byte) => sum * 256 + byte, 0);
}

function isSigned(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  try {
    return key.length === 32 && ed25519.verify(signature, message, key);
  } catch {
    return false; // not even the form of a signature
  }
}
