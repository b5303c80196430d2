/** Merkle tree proofs (RFC 9162 sections 2.1.3.2 and 2.1.4.2), computed here: the service's word is not asked. */
import { sha256 } from "@noble/hashes/sha2";
import { isEqual, joined, ProofError, refuse } from "./bytes";

export const HASH_BYTES = 32;
/** What a log without entries has as its root. */
export const EMPTY_ROOT = sha256(new Uint8Array());

export function leafHash(data: Uint8Array): Uint8Array {
  return sha256(joined(Uint8Array.of(0), data));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(joined(Uint8Array.of(1), left, right));
}

export function checkInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): void {
  refuse(!Number.isSafeInteger(index) || index < 0 || index >= size, "the entry lies outside the log");
  const [, whole] = climb(index, size - 1, leaf, proof);
  refuse(!isEqual(whole, root), "the entry is not in the log that was signed");
}

export function checkConsistency(
  old: number,
  size: number,
  proof: readonly Uint8Array[],
  oldRoot: Uint8Array,
  root: Uint8Array,
): void {
  refuse(!isSizePair(old, size), "the older size lies outside the log");
  const broken = "the older log is not the beginning of the newer one";
  if (old === size) {
    refuse(proof.length > 0 || !isEqual(oldRoot, root), broken);
    return;
  }
  const [before, whole] = prefixRoots(old, size, isPowerOfTwo(old) ? [oldRoot, ...proof] : proof);
  refuse(!isEqual(before, oldRoot) || !isEqual(whole, root), broken);
}

/** The older and the newer root that a consistency proof gives, its first node always written out. */
export function prefixRoots(
  old: number,
  size: number,
  nodes: readonly Uint8Array[],
): [Uint8Array, Uint8Array] {
  refuse(!isSizePair(old, size) || old === size, "the older size lies outside the log");
  const [first, ...rest] = nodes;
  if (first === undefined) {
    throw new ProofError("a proof is too short");
  }
  let [left, right] = [old - 1, size - 1];
  while (left % 2 === 1) {
    [left, right] = [half(left), half(right)];
  }
  return climb(left, right, first, rest);
}

/** The root of the leaves `first` to `end`, split as the whole tree is. */
export type SubtreeRoot = (first: number, end: number) => Promise<Uint8Array>;

/** PROOF(old, D[size]) of RFC 6962 section 2.1.2, with its first node always written out. */
export async function prefixProof(old: number, size: number, subtree: SubtreeRoot): Promise<Uint8Array[]> {
  refuse(!isSizePair(old, size), "the older size lies outside the log");
  const path: Promise<Uint8Array>[] = [];
  let [first, end] = [0, size];
  while (old !== end) {
    const middle = first + split(end - first);
    if (old <= middle) {
      path.push(subtree(middle, end));
      end = middle;
    } else {
      path.push(subtree(first, middle));
      first = middle;
    }
  }
  path.push(subtree(first, end));
  return (await Promise.all(path)).reverse();
}

/** The hashes above a packed row of them; an odd one at its end is left out. */
export function rowAbove(row: Uint8Array): Uint8Array {
  const pairs = Math.floor(row.length / (2 * HASH_BYTES));
  const above = new Uint8Array(pairs * HASH_BYTES);
  for (let pair = 0; pair < pairs; pair += 1) {
    const at = 2 * pair * HASH_BYTES;
    const [left, right] = [
      row.subarray(at, at + HASH_BYTES),
      row.subarray(at + HASH_BYTES, at + 2 * HASH_BYTES),
    ];
    above.set(nodeHash(left, right), pair * HASH_BYTES);
  }
  return above;
}

/** Where RFC 6962 splits a tree of this many leaves: at the largest power of two below. */
export function split(count: number): number {
  let width = 1;
  while (width * 2 < count) {
    width *= 2;
  }
  return width;
}

export function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value === 1 || split(value) * 2 === value);
}

function isSizePair(old: number, size: number): boolean {
  return Number.isSafeInteger(old) && Number.isSafeInteger(size) && old > 0 && old <= size;
}

/** The roots of the tree that ends with the node `first`, and of the whole tree. */
function climb(
  first: number,
  last: number,
  start: Uint8Array,
  proof: readonly Uint8Array[],
): [Uint8Array, Uint8Array] {
  let [left, right] = [start, start];
  for (const node of proof) {
    refuse(last === 0, "a proof has spare nodes");
    if (first % 2 === 1 || first === last) {
      [left, right] = [nodeHash(node, left), nodeHash(node, right)];
      while (first % 2 === 0 && first !== 0) {
        [first, last] = [half(first), half(last)];
      }
    } else {
      right = nodeHash(right, node);
    }
    [first, last] = [half(first), half(last)];
  }
  refuse(last !== 0, "a proof is too short");
  return [left, right];
}

function half(value: number): number {
  return Math.floor(value / 2);
}
