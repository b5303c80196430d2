/** Signed checkpoints (C2SP signed-note and tlog-checkpoint) under the log's Ed25519 keys. */
import { ed25519 } from "@noble/curves/ed25519";
import { sha256 } from "@noble/hashes/sha2";
import { fromBase64, joined, ProofError, refuse, toHex } from "./bytes";

const PLAIN = 1; // first byte of a verifier key: Ed25519 over the note's text
const ENCODER = new TextEncoder();

export interface Checkpoint {
  origin: string;
  size: number;
  root: Uint8Array;
}

/** What a note says, once one of the keys has signed it. `keys`: `name+key id+base64`, any kinds. */
export function openCheckpoint(note: string, keys: readonly string[]): Checkpoint {
  const cut = note.lastIndexOf("\n\n");
  refuse(cut < 0, "the checkpoint is malformed");
  const text = note.slice(0, cut + 1);
  const [origin = "", sizeText = "", encodedRoot = ""] = text.split("\n");
  const size = Number(sizeText);
  refuse(!Number.isSafeInteger(size) || String(size) !== sizeText, "the checkpoint's size is malformed");
  const known = new Map(keys.map((key) => knownKey(key)).filter((entry) => entry !== null));
  let signed = false;
  for (const line of note
    .slice(cut + 2)
    .replace(/\n$/, "")
    .split("\n")) {
    const [dash, name, encoded, ...rest] = line.split(" ");
    refuse(
      dash !== "—" || name === undefined || encoded === undefined || rest.length > 0,
      "a signature line is malformed",
    );
    const blob = fromBase64(encoded ?? "");
    const key = known.get(`${name ?? ""} ${toHex(blob.slice(0, 4))}`);
    if (key !== undefined && name === origin) {
      refuse(
        !ed25519.verify(blob.slice(4), ENCODER.encode(text), key),
        "the checkpoint's signature is wrong",
      );
      signed = true;
    }
  }
  refuse(!signed, "the checkpoint is not signed by a key of its log");
  return { origin, size, root: fromBase64(encodedRoot, 32) };
}

function knownKey(key: string): [string, Uint8Array] | null {
  const [name, id, ...rest] = key.trim().split("+");
  if (name === undefined || id === undefined) {
    throw new ProofError("a verifier key is malformed");
  }
  const bytes = fromBase64(rest.join("+"));
  if (bytes[0] !== PLAIN) {
    return null; // another kind of signature, which stands beside this one
  }
  const digest = toHex(sha256(joined(ENCODER.encode(`${name}\n`), bytes)).slice(0, 4));
  refuse(bytes.length !== 33 || digest !== id, "a verifier key is malformed");
  return [`${name} ${id}`, bytes.slice(1)];
}
