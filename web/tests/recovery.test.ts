import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { requireAccount, requirePolicy, requireVeto } from "../src/recovery/commands";
import { OtherDraft } from "../src/wallet/typed";
import type { TypedData } from "../src/wallet/types";

const vectors = JSON.parse(readFileSync("../vectors/typed_data.json", "utf8")) as {
  cases: { typedData: TypedData }[];
};

function published(kind: string): TypedData {
  const found = vectors.cases.find(({ typedData }) => typedData.primaryType === kind);
  if (found === undefined) {
    throw new Error(kind);
  }
  return found.typedData;
}

const subjectOf = ({ message }: TypedData): string => `0x${BigInt(String(message.subject)).toString(16)}`;

test("guardians are named as they stand on the page", () => {
  const typed = published("SetRecoveryPolicy");
  const policy = typed.message.policy as { guardianships: string[]; threshold: number };
  const wish = { subject: subjectOf(typed), ...policy };
  expect(() => requirePolicy(typed, wish)).not.toThrow();
  const fewer = { ...wish, guardianships: policy.guardianships.slice(1) };
  const other = { ...wish, guardianships: policy.guardianships.map(() => `0x${"ab".repeat(32)}`) };
  const alone = { ...wish, threshold: wish.threshold - 1 };
  for (const wrong of [fewer, other, alone, { ...wish, subject: "0x99" }]) {
    expect(() => requirePolicy(typed, wrong)).toThrow(OtherDraft);
  }
});

test.each(["ProposeRecovery", "AcceptRecovery"] as const)("%s is for the account on the page", (kind) => {
  const typed = published(kind);
  const wish = { subject: subjectOf(typed), account: String(typed.message.controller) };
  expect(() => requireAccount(typed, kind, wish)).not.toThrow();
  const other = kind === "AcceptRecovery" ? "ProposeRecovery" : "AcceptRecovery";
  expect(() => requireAccount(typed, other, wish)).toThrow(OtherDraft);
  for (const wrong of [
    { ...wish, account: "0x00000000000000000000000000000000000000bb" },
    { ...wish, subject: "0x99" },
  ]) {
    expect(() => requireAccount(typed, kind, wrong)).toThrow(OtherDraft);
  }
  const elsewhere = { ...typed, domain: { ...typed.domain, name: "Assent Consent" } };
  expect(() => requireAccount(elsewhere, kind, wish)).toThrow(OtherDraft);
});

test("a stop is of one's own recovery", () => {
  const typed = published("VetoRecovery");
  expect(() => requireVeto(typed, subjectOf(typed))).not.toThrow();
  expect(() => requireVeto(typed, "0x99")).toThrow(OtherDraft);
  expect(() => requireVeto(published("AcceptRecovery"), subjectOf(typed))).toThrow(OtherDraft);
});
