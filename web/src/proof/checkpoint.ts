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

/** One signature line. `id`: the key's, as hex; `signature`: without it. */
export interface NoteLine {
  name: string;
  id: string;
  signature: Uint8Array;
}

export interface VerifierKey {
  name: string;
  id: string;
  /** The algorithm: 1 Ed25519, 4 timestamped Ed25519 cosignature, 6 ML-DSA-44 cosignature. */
  kind: number;
  key: Uint8Array;
}

/** What a note says, once one of the keys has signed it. `keys`: `name+key id+base64`, any kinds. */
export function openCheckpoint(note: string, keys: readonly string[]): Checkpoint {
  const { text, lines } = readNote(note);
  const found = checkpointIn(text);
  const known = keys.map(readKey).filter(({ kind }) => kind === PLAIN);
  let signed = false;
  for (const line of lines) {
    const key = known.find(({ name, id }) => name === line.name && id === line.id);
    if (key !== undefined && line.name === found.origin) {
      refuse(
        key.key.length !== 32 || !ed25519.verify(line.signature, ENCODER.encode(text), key.key),
        "the checkpoint's signature is wrong",
      );
      signed = true;
    }
  }
  refuse(!signed, "the checkpoint is not signed by a key of its log");
  return found;
}

/** A note's text, and its signature lines; nothing of it is verified yet. */
export function readNote(note: string): { text: string; lines: NoteLine[] } {
  const cut = note.lastIndexOf("\n\n");
  refuse(cut < 0, "the checkpoint is malformed");
  const written = note
    .slice(cut + 2)
    .replace(/\n$/, "")
    .split("\n");
  const lines = written.map((line) => {
    const [dash, name, encoded, ...rest] = line.split(" ");
    if (dash !== "—" || name === undefined || encoded === undefined || rest.length > 0) {
      throw new ProofError("a signature line is malformed");
    }
    const blob = fromBase64(encoded);
    return { name, id: toHex(blob.slice(0, 4)), signature: blob.slice(4) };
  });
  return { text: note.slice(0, cut + 1), lines };
}

export function readKey(key: string): VerifierKey {
  const [name, id, ...rest] = key.trim().split("+");
  if (name === undefined || id === undefined) {
    throw new ProofError("a verifier key is malformed");
  }
  const bytes = fromBase64(rest.join("+"));
  const digest = toHex(sha256(joined(ENCODER.encode(`${name}\n`), bytes)).slice(0, 4));
  refuse(digest !== id, "a verifier key is malformed");
  return { name, id, kind: bytes[0] ?? 0, key: bytes.slice(1) };
}

function checkpointIn(text: string): Checkpoint {
  const [origin = "", sizeText = "", encodedRoot = ""] = text.split("\n");
  const size = Number(sizeText);
  refuse(!Number.isSafeInteger(size) || String(size) !== sizeText, "the checkpoint's size is malformed");
  return { origin, size, root: fromBase64(encodedRoot, 32) };
}
