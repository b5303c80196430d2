/** Deterministic CBOR (RFC 8949 section 4.2.1) without floats and tags, as leaves and records are written. */
import { ProofError, refuse } from "./bytes";

export type Cbor = number | boolean | null | string | Uint8Array | Cbor[] | Map<Cbor, Cbor>;

export function decodeCbor(data: Uint8Array): Cbor {
  const [value, end] = item(data, 0);
  refuse(end !== data.length, "spare bytes after a CBOR value");
  return value;
}

/** The map with text keys that a CBOR value is. */
export function fieldsOf(value: Cbor): Map<string, Cbor> {
  if (!(value instanceof Map) || [...value.keys()].some((key) => typeof key !== "string")) {
    throw new ProofError("a CBOR value is not the map it should be");
  }
  return value as Map<string, Cbor>;
}

function item(data: Uint8Array, at: number): [Cbor, number] {
  const head = byteAt(data, at);
  const [major, low] = [head >> 5, head & 31];
  let next = at + 1;
  if (major === 7) {
    refuse(![20, 21, 22].includes(low), "a CBOR value is of a kind that is not used");
    return [low === 22 ? null : low === 21, next];
  }
  let number = low;
  if (low >= 24) {
    refuse(low > 27, "a CBOR number is malformed");
    const width = 1 << (low - 24);
    number = 0;
    for (let place = 0; place < width; place += 1) {
      number = number * 256 + byteAt(data, next + place);
    }
    next += width;
    refuse(!Number.isSafeInteger(number), "a CBOR number is too large");
    refuse(number < (width === 1 ? 24 : 2 ** (4 * width)), "a CBOR number is too long");
  }
  switch (major) {
    case 0:
      return [number, next];
    case 1:
      return [-1 - number, next];
    case 2:
    case 3: {
      const part = data.slice(next, next + number);
      refuse(part.length !== number, "a CBOR string is cut off");
      return [major === 2 ? part : new TextDecoder("utf-8", { fatal: true }).decode(part), next + number];
    }
    case 4: {
      const values: Cbor[] = [];
      for (let count = 0; count < number; count += 1) {
        const [value, end] = item(data, next);
        values.push(value);
        next = end;
      }
      return [values, next];
    }
    case 5: {
      const map = new Map<Cbor, Cbor>();
      let before: Uint8Array | null = null;
      for (let count = 0; count < number; count += 1) {
        const [key, middle] = item(data, next);
        const written = data.slice(next, middle);
        refuse(before !== null && !isBefore(before, written), "CBOR map keys are not in order");
        const [value, end] = item(data, middle);
        map.set(key, value);
        [before, next] = [written, end];
      }
      return [map, next];
    }
    default:
      throw new ProofError("a CBOR value has a tag");
  }
}

function byteAt(data: Uint8Array, at: number): number {
  const byte = data[at];
  if (byte === undefined) {
    throw new ProofError("a CBOR value is cut off");
  }
  return byte;
}

function isBefore(left: Uint8Array, right: Uint8Array): boolean {
  for (let place = 0; place < Math.min(left.length, right.length); place += 1) {
    const difference = (left[place] ?? 0) - (right[place] ?? 0);
    if (difference !== 0) {
      return difference < 0;
    }
  }
  return left.length < right.length;
}
