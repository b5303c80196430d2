/**
 * Whether two signed checkpoints are of one history, computed here from the log's tiles, and the evidence when
 * they are not (`assent audit compare` checks it, with the log's key and nothing else).
 */
import { isEqual, refuse, toBase64 } from "./bytes";
import { openCheckpoint, type Checkpoint } from "./checkpoint";
import { EMPTY_ROOT, prefixProof, prefixRoots } from "./merkle";
import { TileTree, type Tile } from "./tiles";

const FORMAT = "assent-split-view/1";

export interface Evidence {
  format: string;
  /** The two notes, the smaller log first. */
  checkpoints: [string, string];
  proof: string[];
}

export interface Compared {
  older: Checkpoint;
  newer: Checkpoint;
  /** How many hashes of the log the comparison took. */
  hashes: number;
  /** Null where both are of one history. */
  split: Evidence | null;
}

type FetchTile = (tile: Tile) => Promise<Uint8Array>;

/** Raises ProofError where nothing can be said: a note that the log did not sign, tiles that are not its own. */
export async function compare(
  notes: readonly [string, string],
  keys: readonly string[],
  fetchTile: FetchTile,
): Promise<Compared> {
  const opened = notes.map((note) => ({ note, at: openCheckpoint(note, keys) }));
  const [older, newer] = opened.sort((left, right) => left.at.size - right.at.size);
  if (older === undefined || newer === undefined) {
    throw new TypeError("two notes are compared");
  }
  refuse(older.at.origin !== newer.at.origin, "the checkpoints are of two logs");
  const proof = await proofBetween(older.at, newer.at, fetchTile);
  const isOne = proof === null ? isEqual(older.at.root, newer.at.root) : isEqual(proof.before, older.at.root);
  const nodes = proof?.nodes ?? [];
  return {
    older: older.at,
    newer: newer.at,
    hashes: nodes.length,
    split: isOne
      ? null
      : { format: FORMAT, checkpoints: [older.note, newer.note], proof: nodes.map(toBase64) },
  };
}

interface Between {
  nodes: Uint8Array[];
  /** What the older root must be, if the newer one is right. */
  before: Uint8Array;
}

/** Null where there is nothing between the two. */
async function proofBetween(
  older: Checkpoint,
  newer: Checkpoint,
  fetchTile: FetchTile,
): Promise<Between | null> {
  if (older.size === newer.size) {
    return null;
  }
  if (older.size === 0) {
    refuse(!isEqual(older.root, EMPTY_ROOT), "the checkpoint of an empty log has another root than that has");
    return { nodes: [], before: EMPTY_ROOT };
  }
  const tree = new TileTree(fetchTile, newer.size);
  const nodes = await prefixProof(older.size, newer.size, tree.subtree);
  const [before, whole] = prefixRoots(older.size, newer.size, nodes);
  refuse(!isEqual(whole, newer.root), "the tiles that the service gave do not make the log that it signed");
  return { nodes, before };
}
