/** SHA-256 of a file of any size, piece by piece. */
import { sha256 } from "@noble/hashes/sha2";
import { bytesToHex } from "@noble/hashes/utils";

export async function digestOf(file: Blob): Promise<string> {
  const hash = sha256.create();
  const reader = file.stream().getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    hash.update(piece.value);
  }
  return bytesToHex(hash.digest());
}

export function digestOfText(text: string): string {
  return bytesToHex(sha256(new TextEncoder().encode(text)));
}
