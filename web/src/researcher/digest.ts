/** SHA-256 of files and texts. Not WebCrypto: a page over plain HTTP in a hospital's own network has none. */
import { sha256 } from "@noble/hashes/sha2";
import { toHex } from "../proof/bytes";

export async function digestOf(file: Blob): Promise<string> {
  return `0x${toHex(sha256(new Uint8Array(await file.arrayBuffer())))}`;
}

export function digestOfText(text: string): string {
  return toHex(sha256(new TextEncoder().encode(text)));
}
