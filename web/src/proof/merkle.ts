/** Merkle tree proofs (RFC 9162 sections 2.1.3.2 and 2.1.4.2), computed here: the service's word is not asked. */
import { sha256 } from "@noble/hashes/sha2";
import { isEqual, joined, refuse } from "./bytes";

export function leafHash(data: Uint8Array): Uint8Array {
  return sha256(joined(Uint8Array.of(0), data));
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
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
  refuse(!Number.isSafeInteger(old) || old <= 0 || old > size, "the anchored size lies outside the log");
  const broken = "the log that was anchored is not the beginning of this one";
  if (old === size) {
    refuse(proof.length > 0 || !isEqual(oldRoot, root), broken);
    return;
  }
  const nodes = Number.isInteger(Math.log2(old)) ? [oldRoot, ...proof] : proof;
  const [first, ...rest] = nodes;
  if (first === undefined) {
    refuse(true, broken);
    return;
  }
  let [left, right] = [old - 1, size - 1];
  while (left % 2 === 1) {
    [left, right] = [half(left), half(right)];
  }
  const [before, whole] = climb(left, right, first, rest);
  refuse(!isEqual(before, oldRoot) || !isEqual(whole, root), broken);
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
