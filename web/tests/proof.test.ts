import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkEntry, checkOnChain, type Bundle } from "../src/proof/bundle";
import { ProofError } from "../src/proof/bytes";
import { decodeCbor } from "../src/proof/cbor";

interface Case {
  bundle: Bundle;
  index: number;
  size: number;
  root: string;
  leaf_hash: string;
  recorded_at_ms: number;
  anchored: boolean;
}
const vectors = JSON.parse(readFileSync("../vectors/proofs.json", "utf8")) as { key: string; cases: Case[] };
const cases = vectors.cases.map((one) => [`entry ${one.index} of ${one.size}`, one] as const);

describe.each(cases)("%s", (_, one) => {
  test("is found in the log, as the vectors say", () => {
    const found = checkEntry(one.bundle, one.index, [vectors.key]);
    expect(found.size).toBe(one.size);
    expect(found.root).toBe(one.root);
    expect(found.leafHash).toBe(one.leaf_hash);
    expect(found.recordedAtMs).toBe(one.recorded_at_ms);
    expect(found.anchor !== null).toBe(one.anchored);
  });

  test("is refused with any one of its texts changed", () => {
    const places = [...texts(one.bundle)].filter(
      ([path]) => !/chain_id|contract|log_id|block|transaction/.test(path),
    );
    expect(places.length).toBeGreaterThan(5);
    for (const [path, text] of places) {
      const place = Math.floor(text.length / 2);
      const changed = text.slice(0, place) + (text[place] === "A" ? "B" : "A") + text.slice(place + 1);
      const bundle = replaced(one.bundle, path, changed);
      expect(() => checkEntry(bundle, one.index, [vectors.key]), path).toThrow();
    }
  });

  test("is refused for another index, another key, and with a node of the proof missing or spare", () => {
    expect(() => checkEntry(one.bundle, one.index + 1, [vectors.key])).toThrow(ProofError);
    expect(() => checkEntry(one.bundle, one.index, [])).toThrow(ProofError);
    const [entry] = one.bundle.entries;
    const proof = entry?.proof ?? [];
    const spare = { ...one.bundle, entries: [{ ...entry, proof: [...proof, entry?.salt ?? ""] }] } as Bundle;
    expect(() => checkEntry(spare, one.index, [vectors.key])).toThrow(ProofError);
    if (proof.length > 0) {
      const short = { ...one.bundle, entries: [{ ...entry, proof: proof.slice(1) }] } as Bundle;
      expect(() => checkEntry(short, one.index, [vectors.key])).toThrow(ProofError);
    }
  });
});

describe("the chain", () => {
  const [first] = vectors.cases;
  const bundle = first?.bundle as Bundle;
  const root = Buffer.from(bundle.anchor?.root ?? "", "base64").toString("hex");
  const node =
    (chain: string, size: number, head: string) =>
    (method: string): Promise<unknown> =>
      Promise.resolve(method === "eth_chainId" ? chain : `0x${size.toString(16).padStart(64, "0")}${head}`);

  test("that holds what was anchored, or more of it, agrees", async () => {
    expect(await checkOnChain(bundle, node("0x7a69", 1, root))).toBe(true);
    expect(await checkOnChain(bundle, node("0x7a69", 9, "ab".repeat(32)))).toBe(true);
  });

  test("that holds less, another root, or is another chain, does not", async () => {
    await expect(checkOnChain(bundle, node("0x7a69", 0, root))).rejects.toThrow(ProofError);
    await expect(checkOnChain(bundle, node("0x7a69", 1, "ab".repeat(32)))).rejects.toThrow(ProofError);
    await expect(checkOnChain(bundle, node("0x1", 1, root))).rejects.toThrow(ProofError);
  });

  test("has nothing to say where nothing is anchored", async () => {
    expect(await checkOnChain({ ...bundle, anchor: null }, node("0x7a69", 1, root))).toBe(false);
  });
});

test.each([
  "1800",
  "19ffff00",
  "a2616201616101",
  "a2616101616102",
  "c000",
  "f90000",
  "43aabb",
  "8201",
  "00ff",
])("CBOR that is not deterministic, or cut off, is refused: %s", (hex) => {
  expect(() => decodeCbor(Uint8Array.from(Buffer.from(hex, "hex")))).toThrow(ProofError);
});

function* texts(value: unknown, path = ""): Generator<[string, string]> {
  if (typeof value === "string" && value !== "") {
    yield [path, value];
  } else if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      yield* texts(item, `${path}/${name}`);
    }
  }
}

function replaced(bundle: Bundle, path: string, text: string): Bundle {
  const copy = structuredClone(bundle) as unknown as Record<string, unknown>;
  const names = path.split("/").slice(1);
  const last = names.pop() ?? "";
  const holder = names.reduce((at, name) => at[name] as Record<string, unknown>, copy);
  holder[last] = text;
  return copy as unknown as Bundle;
}
