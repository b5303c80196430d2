/**
 * Checks a proof bundle of the audit log in the page, as `assent audit verify` does outside: the entry says
 * what its leaf commits to, the leaf is in the tree, the log signed the tree, and the chain has the tree's
 * beginning. It shares no code with what made the bundle.
 */
import { hmac } from "@noble/hashes/hmac";
import { sha256 } from "@noble/hashes/sha2";
import { fromBase64, isEqual, ProofError, refuse, toHex } from "./bytes";
import { decodeCbor, fieldsOf } from "./cbor";
import { openCheckpoint } from "./checkpoint";
import { checkConsistency, checkInclusion, leafHash } from "./merkle";

const FORMAT = "assent-audit-proof/1";
const HEAD_OF = "0x65c7d79d"; // headOf(bytes32) of the contract AuditAnchor

export interface Bundle {
  format: string;
  origin: string;
  checkpoint: string;
  anchor: {
    size: number;
    root: string;
    consistency: string[];
    chain_id: string;
    contract: string;
    log_id: string;
    block: number;
  } | null;
  entries: { index: number; leaf: string; proof: string[]; record?: string; salt?: string }[];
}

export interface Checked {
  size: number;
  root: string;
  /** The anchored size, when the entry lies within it; null while the chain does not have it yet. */
  anchor: { size: number; block: number } | null;
  leafHash: string;
  recordedAtMs: number;
}

/**
 * Check the one entry `index`; ProofError says the first thing found wrong. `opened` false: that something was
 * logged there, and not what.
 */
export function checkEntry(
  bundle: Bundle,
  index: number,
  keys: readonly string[],
  { opened = true }: { opened?: boolean } = {},
): Checked {
  refuse(bundle.format !== FORMAT, "the proof is of an unknown format");
  const checkpoint = openCheckpoint(bundle.checkpoint, keys);
  refuse(bundle.origin !== checkpoint.origin, "the checkpoint is of another log");
  const { size, root } = checkpoint;
  const { anchor } = bundle;
  if (anchor !== null) {
    const proof = anchor.consistency.map((node) => fromBase64(node, 32));
    checkConsistency(anchor.size, size, proof, fromBase64(anchor.root, 32), root);
  }
  const [entry] = bundle.entries;
  if (entry === undefined || bundle.entries.length !== 1 || entry.index !== index) {
    throw new ProofError("the proof is of another entry");
  }
  const data = fromBase64(entry.leaf);
  const leaf = fieldsOf(decodeCbor(data));
  const [commitment, at] = [leaf.get("c"), leaf.get("t")];
  if (!(commitment instanceof Uint8Array) || typeof at !== "number" || leaf.get("v") !== 1) {
    throw new ProofError("the entry's leaf is malformed");
  }
  const hash = leafHash(data);
  checkInclusion(
    hash,
    index,
    size,
    entry.proof.map((node) => fromBase64(node, 32)),
    root,
  );
  if (opened) {
    requireContent(entry, commitment);
  }
  return {
    size,
    root: toHex(root),
    anchor: anchor !== null && index < anchor.size ? { size: anchor.size, block: anchor.block } : null,
    leafHash: toHex(hash),
    recordedAtMs: at,
  };
}

function requireContent({ record, salt }: Bundle["entries"][number], commitment: Uint8Array): void {
  if (record === undefined || salt === undefined) {
    throw new ProofError("the proof does not open the entry");
  }
  const made = hmac(sha256, fromBase64(salt, 32), fromBase64(record));
  refuse(!isEqual(made, commitment), "the entry does not say what was logged");
}

type Rpc = (method: string, params: unknown[]) => Promise<unknown>;

/** Compare a checked bundle's anchor with the contract itself. True when the chain holds at least as much. */
export async function checkOnChain(bundle: Bundle, rpc: Rpc): Promise<boolean> {
  const { anchor } = bundle;
  if (anchor === null) {
    return false;
  }
  const chainId = await rpc("eth_chainId", []);
  refuse(Number(chainId) !== Number(anchor.chain_id), "the chain is another one");
  const call = { to: anchor.contract, data: HEAD_OF + anchor.log_id.replace(/^0x/, "") };
  const head = await rpc("eth_call", [call, "latest"]);
  if (typeof head !== "string" || head.length < 130) {
    throw new ProofError("the contract gave no answer");
  }
  const [size, root] = [Number(`0x${head.slice(2, 66)}`), head.slice(66, 130)];
  const differs = size === anchor.size && root !== toHex(fromBase64(anchor.root, 32));
  refuse(size < anchor.size || differs, "the chain holds another log");
  return true;
}
