import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hashTypedData, recoverTypedDataAddress } from "viem/utils";
import type { Hex } from "viem";
import { idOf, maskOf, OtherDraft, requireDraft, secondsOf } from "../src/wallet/typed";
import type { TypedData } from "../src/wallet/types";

interface Case {
  name: string;
  typedData: TypedData;
  structHash: string;
  digest: string;
  signature: Hex;
  signer: string;
  refused?: unknown;
}
const vectors = JSON.parse(readFileSync("../vectors/typed_data.json", "utf8")) as { cases: Case[] };
const hashable = ({ typedData }: Case): Parameters<typeof hashTypedData>[0] => typedData as never;

test.each(vectors.cases.map((one) => [one.name, one] as const))(
  "%s hashes to the published values",
  (_, one) => {
    expect(idOf(one.typedData)).toBe(one.structHash);
    expect(hashTypedData(hashable(one))).toBe(one.digest);
  },
);

const published = vectors.cases.find(({ typedData }) => typedData.primaryType === "Grant") as Case;
const typed = published.typedData;
const terms = typed.message.terms as Record<string, unknown>;
const draft = { consent_id: published.structHash, summary: String(terms.summary) };

test("a draft is held against the id, the words beside it and each member that was shown", () => {
  expect(() => requireDraft(typed, draft, { subject: BigInt(String(typed.message.subject)) })).not.toThrow();
  expect(() => requireDraft(typed, { ...draft, summary: `${draft.summary} and more` }, {})).toThrow(
    OtherDraft,
  );
  const wider = { ...typed, message: { ...typed.message, terms: { ...terms, actions: 255 } } };
  expect(() => requireDraft(wider, draft, {})).toThrow(OtherDraft);
  expect(() => requireDraft({ ...typed, primaryType: "ResearchTerms" }, draft, {})).toThrow(OtherDraft);
});

test("what a delegate signs is the grant inside", () => {
  const types = { ...typed.types, DelegatedGrant: [{ name: "grant", type: "Grant" }] };
  const delegated = { ...typed, types, primaryType: "DelegatedGrant", message: { grant: typed.message } };
  expect(() => requireDraft(delegated, draft, { kind: Number(typed.message.kind) })).not.toThrow();
  expect(() => requireDraft(delegated, draft, { kind: 99 })).toThrow(OtherDraft);
});

test("a mask is made of the published bits", () => {
  expect(maskOf({ A: 0, B: 3, C: 64 }, ["C", "B"])).toBe((1n << 64n) + 8n);
  expect(() => maskOf({ A: 0 }, ["B"])).toThrow(OtherDraft);
});

test("moments are seconds, and none is no end", () => {
  expect(secondsOf("1970-01-01T00:00:07.900Z")).toBe(7);
  expect(secondsOf(null)).toBe(1_099_511_627_775);
});

test("the published signatures are by the published signers", async () => {
  for (const one of vectors.cases.filter((found) => found.signature.length === 132)) {
    const signer = await recoverTypedDataAddress({
      ...(one.typedData as never as object),
      signature: one.signature,
    } as never);
    expect(signer.toLowerCase(), one.name).toBe(one.signer.toLowerCase());
  }
});
