/**
 * The tree of the log, computed from its tiles (C2SP tlog-tiles). What the service serves is not trusted:
 * whoever asks for hashes here compares the root they give with one that was signed.
 */
import { refuse } from "./bytes";
import { HASH_BYTES, isPowerOfTwo, nodeHash, rowAbove, split } from "./merkle";

const HEIGHT = 8;
export const TILE_WIDTH = 2 ** HEIGHT;

export interface Tile {
  level: number;
  number: number;
  /** How many hashes of it the tree has. */
  width: number;
}

/** What stands after the level in a tile's path: 067, x001/x234/067, 273.p/112. */
export function pathOf({ number, width }: Tile): string {
  let digits = String(number % 1000).padStart(3, "0");
  for (let left = Math.floor(number / 1000); left > 0; left = Math.floor(left / 1000)) {
    digits = `x${String(left % 1000).padStart(3, "0")}/${digits}`;
  }
  return width === TILE_WIDTH ? digits : `${digits}.p/${width}`;
}

/** Where in which tile of a tree the root of the perfect subtree `index` of 2^height leaves stands. */
export function placeOf(
  height: number,
  index: number,
): { level: number; number: number; row: number; place: number } {
  const row = height % HEIGHT;
  const first = index * 2 ** row;
  return {
    level: Math.floor(height / HEIGHT),
    number: Math.floor(first / TILE_WIDTH),
    row,
    place: (first % TILE_WIDTH) / 2 ** row,
  };
}

export class TileTree {
  readonly #rows = new Map<string, Promise<Uint8Array[]>>();

  constructor(
    readonly fetchTile: (tile: Tile) => Promise<Uint8Array>,
    readonly size: number,
  ) {}

  /** The root of the leaves `first` to `end`, as RFC 6962 splits them. Raises ProofError. */
  readonly subtree = async (first: number, end: number): Promise<Uint8Array> => {
    const count = end - first;
    if (isPowerOfTwo(count)) {
      return this.#node(Math.round(Math.log2(count)), first / count);
    }
    const middle = first + split(count);
    const [left, right] = await Promise.all([this.subtree(first, middle), this.subtree(middle, end)]);
    return nodeHash(left, right);
  };

  async #node(height: number, index: number): Promise<Uint8Array> {
    const { level, number, row, place } = placeOf(height, index);
    const found = (await this.#rowsOf(level, number))[row] ?? new Uint8Array();
    const hash = found.slice(place * HASH_BYTES, (place + 1) * HASH_BYTES);
    refuse(hash.length !== HASH_BYTES, "a tile of the log is too short");
    return hash;
  }

  #rowsOf(level: number, number: number): Promise<Uint8Array[]> {
    const key = `${level}/${number}`;
    const known = this.#rows.get(key) ?? this.#fetchRows(level, number);
    this.#rows.set(key, known);
    return known;
  }

  async #fetchRows(level: number, number: number): Promise<Uint8Array[]> {
    const held = Math.floor(this.size / TILE_WIDTH ** level) - number * TILE_WIDTH;
    const width = Math.min(TILE_WIDTH, held);
    const content = await this.fetchTile({ level, number, width });
    refuse(content.length !== width * HASH_BYTES, "a tile has another width than its name says");
    const rows = [content];
    for (let row = content; rows.length < HEIGHT; rows.push(row)) {
      row = rowAbove(row);
    }
    return rows;
  }
}
