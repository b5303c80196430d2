/** Bytes and their canonical texts. What is not exactly what an encoder writes is refused. */

export class ProofError extends Error {
  override readonly name = "ProofError";
}

export function refuse(wrong: boolean, reason: string): void {
  if (wrong) {
    throw new ProofError(reason);
  }
}

export function fromBase64(text: string, length?: number): Uint8Array {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw new ProofError("a base64 value is malformed");
  }
  const data = Uint8Array.from(binary, (char) => char.charCodeAt(0));
  refuse(
    btoa(binary) !== text || (length !== undefined && data.length !== length),
    "a base64 value is malformed",
  );
  return data;
}

export function toBase64(data: Uint8Array): string {
  return btoa(String.fromCharCode(...data));
}

export function toHex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, place) => byte === right[place]);
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
