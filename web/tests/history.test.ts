import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ed25519 } from "@noble/curves/ed25519";
import { sha256 } from "@noble/hashes/sha2";
import { describe, expect, test } from "vitest";
import { isEqual, joined, ProofError, toBase64, toHex } from "../src/proof/bytes";
import { compare } from "../src/proof/history";
import {
  checkConsistency,
  checkInclusion,
  EMPTY_ROOT,
  leafHash,
  nodeHash,
  prefixProof,
  prefixRoots,
  split,
} from "../src/proof/merkle";
import { witnessesOf } from "../src/proof/cosignatures";
import { pathOf, placeOf, TILE_WIDTH, TileTree, type Tile } from "../src/proof/tiles";

const SLOW_MS = 60_000; // for many hashes, on a machine that has other things to do

const bytes = (encoded: string | null): Uint8Array => Uint8Array.from(Buffer.from(encoded ?? "", "base64"));
const leaves = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, number) => leafHash(new TextEncoder().encode(`leaf ${number}`)));

/** As RFC 6962 defines it, with none of the code under test but the hash of a pair. */
function rootOf(hashes: readonly Uint8Array[]): Uint8Array {
  const [only] = hashes;
  if (only === undefined) {
    return sha256(new Uint8Array());
  }
  if (hashes.length === 1) {
    return only;
  }
  const middle = 2 ** (Math.ceil(Math.log2(hashes.length)) - 1);
  return nodeHash(rootOf(hashes.slice(0, middle)), rootOf(hashes.slice(middle)));
}

/** A log's tiles; each row holds the roots of whole tiles of the row below. */
function tilesOf(hashes: readonly Uint8Array[]): (tile: Tile) => Promise<Uint8Array> {
  const rows = [hashes];
  for (let row = hashes; row.length >= TILE_WIDTH; rows.push(row)) {
    const below = row;
    row = Array.from({ length: Math.floor(below.length / TILE_WIDTH) }, (_, number) =>
      rootOf(below.slice(number * TILE_WIDTH, (number + 1) * TILE_WIDTH)),
    );
  }
  return ({ level, number, width }) => {
    const first = number * TILE_WIDTH;
    return Promise.resolve(joined(...(rows[level] ?? []).slice(first, first + width)));
  };
}

const VECTORS = ["../../shared", "../../../shared"]
  .map((root) => join(root, "data/rfc6962"))
  .find((folder) => existsSync(folder));

function vectors(kind: string): [string, Record<string, unknown>][] {
  const folder = join(VECTORS ?? "", kind);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json"))
    .map((name) => [name, JSON.parse(readFileSync(join(folder, name), "utf8")) as Record<string, unknown>]);
}

describe.skipIf(VECTORS === undefined)("the published vectors", () => {
  test("of consistency are judged as they say", () => {
    const all = vectors("consistency");
    expect(all.length).toBeGreaterThan(40);
    for (const [name, one] of all) {
      const [before, after] = [bytes(one.root1 as string), bytes(one.root2 as string)];
      const proof = ((one.proof ?? []) as string[]).map(bytes);
      const run = (): void =>
        checkConsistency(one.size1 as number, one.size2 as number, proof, before, after);
      if (one.wantErr === true) {
        expect(run, name).toThrow(ProofError);
      } else {
        expect(run, name).not.toThrow();
      }
    }
  });

  test("of inclusion are judged as they say", () => {
    for (const [name, one] of vectors("inclusion")) {
      const proof = ((one.proof ?? []) as string[]).map(bytes);
      const run = (): void =>
        checkInclusion(
          bytes(one.leafHash as string),
          one.leafIdx as number,
          one.treeSize as number,
          proof,
          bytes(one.root as string),
        );
      if (one.wantErr === true) {
        expect(run, name).toThrow(ProofError);
      } else {
        expect(run, name).not.toThrow();
      }
    }
  });
});

describe("tiles", () => {
  test.each([
    [{ level: 0, number: 67, width: 256 }, "067"],
    [{ level: 0, number: 1234067, width: 256 }, "x001/x234/067"],
    [{ level: 1, number: 273, width: 112 }, "273.p/112"],
    [{ level: 0, number: 1000, width: 1 }, "x001/000.p/1"],
  ])("%o is found under %s", (tile, path) => {
    expect(pathOf(tile)).toBe(path);
  });

  test("say where the root of a subtree stands", () => {
    expect(placeOf(0, 300)).toEqual({ level: 0, number: 1, row: 0, place: 44 });
    expect(placeOf(7, 3)).toEqual({ level: 0, number: 1, row: 7, place: 1 });
    expect(placeOf(8, 3)).toEqual({ level: 1, number: 0, row: 0, place: 3 });
    expect(placeOf(17, 200)).toEqual({ level: 2, number: 1, row: 1, place: 72 });
  });

  test.each([1, 2, 3, 255, 256, 257, 511, 700, 66_000])(
    "give the root of a log of %i entries",
    async (count) => {
      const hashes = leaves(count);
      const tree = new TileTree(tilesOf(hashes), count);
      expect(toHex(await tree.subtree(0, count))).toBe(toHex(rootOf(hashes)));
    },
  );

  test(
    "that are too short are refused",
    async () => {
      const tree = new TileTree(() => Promise.resolve(new Uint8Array(32)), 2);
      await expect(tree.subtree(0, 2)).rejects.toThrow(ProofError);
    },
    SLOW_MS,
  );
});

describe("consistency", () => {
  const hashes = leaves(70);
  const tree = new TileTree(tilesOf(hashes), 70);
  const root = (size: number): Uint8Array => rootOf(hashes.slice(0, size));

  test(
    "holds between every two sizes of a log, and with nothing changed in its proof",
    async () => {
      for (let size = 2; size <= 40; size += 1) {
        for (let old = 1; old < size; old += 1) {
          const nodes = await prefixProof(old, size, tree.subtree);
          const [before, whole] = prefixRoots(old, size, nodes);
          expect(isEqual(before, root(old)) && isEqual(whole, root(size)), `${old} of ${size}`).toBe(true);
          const sent = 2 ** Math.floor(Math.log2(old)) === old ? nodes.slice(1) : nodes;
          expect(() => checkConsistency(old, size, sent, root(old), root(size))).not.toThrow();
          for (let place = 0; place < sent.length; place += 1) {
            const wrong = sent.map((node, at) => (at === place ? root(1 + ((old + 7) % 40)) : node));
            expect(() => checkConsistency(old, size, wrong, root(old), root(size))).toThrow(ProofError);
          }
          expect(() => checkConsistency(old, size, [...sent, root(3)], root(old), root(size))).toThrow(
            ProofError,
          );
          expect(() => checkConsistency(old, size, sent.slice(1), root(old), root(size))).toThrow(ProofError);
        }
      }
    },
    SLOW_MS,
  );

  test.each([0, -1, 1.5, 8, Number.NaN])("of size %d in a log of 7 is refused", (old) => {
    expect(() => checkConsistency(old, 7, [], root(1), root(7))).toThrow(ProofError);
    expect(() => prefixRoots(old, 7, [root(1)])).toThrow(ProofError);
  });

  test("splits at the largest power of two below", () => {
    expect([2, 3, 4, 5, 256, 257].map(split)).toEqual([1, 2, 2, 4, 128, 256]);
  });
});

describe("two checkpoints", () => {
  const seed = new Uint8Array(32).fill(7);
  const origin = "hospital.example/audit";
  const key = keyOf(origin, 1, ed25519.getPublicKey(seed));
  const hashes = leaves(300);
  const tiles = tilesOf(hashes);
  const at = (size: number, root = rootOf(hashes.slice(0, size)), name = origin): string => {
    const text = `${name}\n${size}\n${toBase64(root)}\n`;
    return `${text}\n${line(name, key, ed25519.sign(new TextEncoder().encode(text), seed))}`;
  };

  test("of one history are found to be, in either order", async () => {
    for (const pair of [
      [at(5), at(300)],
      [at(300), at(256)],
      [at(299), at(299)],
      [at(0, EMPTY_ROOT), at(3)],
    ] as [string, string][]) {
      const found = await compare(pair, [key], tiles);
      expect(found.split).toBeNull();
      expect(found.older.size).toBeLessThanOrEqual(found.newer.size);
    }
  });

  test("of two histories are evidence against the log that signed both", async () => {
    const other = rootOf(leaves(4));
    const found = await compare([at(300), at(5, other)], [key], tiles);
    expect(found.split?.checkpoints).toEqual([at(5, other), at(300)]);
    expect(found.split?.proof.length).toBe(found.hashes);
    const same = await compare([at(5), at(5, other)], [key], tiles);
    expect(same.split?.proof).toEqual([]);
  });

  test("say nothing when the tiles are not the log's, or a note is not", async () => {
    const false_ = tilesOf(leaves(301).slice(1));
    await expect(compare([at(5), at(300)], [key], false_)).rejects.toThrow(ProofError);
    await expect(compare([at(5), at(9).replace("\n9\n", "\n8\n")], [key], tiles)).rejects.toThrow(ProofError);
    await expect(compare([at(5), at(9)], [], tiles)).rejects.toThrow(ProofError);
    await expect(compare([at(5), "what somebody pasted"], [key], tiles)).rejects.toThrow(ProofError);
    await expect(compare([at(0, rootOf(hashes)), at(9)], [key], tiles)).rejects.toThrow(ProofError);
  });
});

describe("a witness", () => {
  const seed = new Uint8Array(32).fill(9);
  const name = "clinic.example/witness";
  const key = keyOf(name, 4, ed25519.getPublicKey(seed));
  const lattice = keyOf(name, 6, new Uint8Array(1312));
  const text = `hospital.example/audit\n3\n${toBase64(EMPTY_ROOT)}\n`;
  const time = 1_700_000_500;
  const signature = joined(
    Uint8Array.of(0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (time >>> shift) & 255)),
    ed25519.sign(new TextEncoder().encode(`cosignature/v1\ntime ${time}\n${text}`), seed),
  );

  test("that cosigned is told, with the time", () => {
    const note = `${text}\n${line(name, key, signature)}`;
    expect(witnessesOf(note, [key, lattice])).toEqual([{ name, state: "good", at: time }]);
  });

  test("whose line is of another text, or of another time, is broken", () => {
    const other = text.replace("\n3\n", "\n4\n");
    const late = joined(Uint8Array.of(1), signature.slice(1));
    const state = (note: string): string | undefined => witnessesOf(note, [key])[0]?.state;
    expect(state(`${other}\n${line(name, key, signature)}`)).toBe("broken");
    expect(state(`${text}\n${line(name, key, late)}`)).toBe("broken");
    expect(state(`${text}\n${line(name, key, signature.slice(0, 20))}`)).toBe("broken");
  });

  test("that signed with a key that this page cannot check, or not at all, is told apart", () => {
    const unchecked = `${text}\n${line(name, lattice, new Uint8Array(2428))}`;
    expect(witnessesOf(unchecked, [key, lattice])[0]?.state).toBe("unchecked");
    const others = `${text}\n${line("other.example/witness", key, signature)}`;
    expect(witnessesOf(others, [key, lattice])[0]?.state).toBe("absent");
  });
});

function keyOf(name: string, kind: number, key: Uint8Array): string {
  const blob = joined(Uint8Array.of(kind), key);
  const id = toHex(sha256(joined(new TextEncoder().encode(`${name}\n`), blob)).slice(0, 4));
  return `${name}+${id}+${Buffer.from(blob).toString("base64")}`;
}

function line(name: string, key: string, signature: Uint8Array): string {
  const id = Uint8Array.from(Buffer.from(key.slice(name.length + 1, name.length + 9), "hex"));
  return `— ${name} ${Buffer.from(joined(id, signature)).toString("base64")}\n`;
}
