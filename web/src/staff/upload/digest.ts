/** SHA-256 of a file of any size, piece by piece. */
import { sha256 } from "@noble/hashes/sha2";
import { toHex } from "../../proof/bytes";

export async function digestOf(file: Blob): Promise<string> {
  const hash = sha256.create();
  const reader = file.stream().getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    hash.update(piece.value);
  }
  return toHex(hash.digest());
}

export function digestOfText(text: string): string {
  return toHex(sha256(new TextEncoder().encode(text)));
}
