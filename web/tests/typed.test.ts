import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hashTypedData, recoverTypedDataAddress } from "viem/utils";
import type { Hex } from "viem";
import { idOf, OtherDraft, requireDraft } from "../src/wallet/typed";
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

test("a draft is held against the id and the words beside it", () => {
  const [permit] = vectors.cases.filter((one) => one.typedData.primaryType === "Grant");
  const typed = permit?.typedData as TypedData;
  const terms = typed.message.terms as Record<string, unknown>;
  const draft = { consent_id: permit?.structHash ?? "", summary: String(terms.summary) };
  expect(() => requireDraft(typed, draft)).not.toThrow();
  expect(() => requireDraft(typed, { ...draft, summary: `${draft.summary} and more` })).toThrow(OtherDraft);
  const wider = { ...typed, message: { ...typed.message, terms: { ...terms, actions: 255 } } };
  expect(() => requireDraft(wider, draft)).toThrow(OtherDraft);
  expect(() => requireDraft({ ...typed, primaryType: "ResearchTerms" }, draft)).toThrow();
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
