import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Consent } from "../src/api/queries";
import { accountIn, inGroups } from "../src/format/accounts";
import { asDevice, isStanding, powersIn, shownIn, type Wish } from "../src/patient/delegation";
import { codesOf, GROUPS } from "../src/patient/purposes";
import { idOf, OtherDraft, requireDraft } from "../src/wallet/typed";
import type { TypedData } from "../src/wallet/types";

const vectors = JSON.parse(readFileSync("../vectors/typed_data.json", "utf8")) as {
  cases: { typedData: TypedData }[];
};
const published = vectors.cases.find(({ typedData }) => typedData.primaryType === "Delegation")
  ?.typedData as TypedData;
const bits = {
  purposes: { TREAT: 0, HRESCH: 5 },
  categories: { laboratory: 3 },
  sensitivities: {},
  actions: {},
};
const masks = { purposes: "33", categories: "8", sensitivities: "0" };
const terms = { ...(published.message.terms as Record<string, unknown>), ...masks };
const zero = `0x${"0".repeat(64)}`;
const message = { ...published.message, powers: 7, depth: 0, kind: 3, parent: zero, terms };
const typed: TypedData = { ...published, message };
const draft = { consent_id: idOf(typed), summary: String((terms as { summary?: unknown }).summary) };
const wish: Wish = {
  subject: `0x${BigInt(String(typed.message.subject)).toString(16).padStart(24, "0")}`,
  delegate: String(typed.message.delegate),
  relationship: String((terms as { relationship?: unknown }).relationship),
  powers: ["grant", "revoke", "read"],
  purposes: ["TREAT", "HRESCH"],
  categories: ["laboratory"],
  sensitivities: [],
  notAfter: new Date(Number(typed.message.notAfter) * 1000).toISOString(),
};
const sign = (other: TypedData, otherDraft: typeof draft, otherWish: Wish): void =>
  requireDraft(other, otherDraft, shownIn(otherWish, bits));

test("a delegation is signed as it was wished and shown", () => {
  expect(() => sign(typed, draft, wish)).not.toThrow();
});

test.each([
  ["another account", { ...wish, delegate: "0x00000000000000000000000000000000000000bb" }],
  ["more powers", { ...wish, powers: ["read"] as const }],
  ["more purposes", { ...wish, purposes: ["TREAT"] }],
  ["more kinds of data", { ...wish, categories: [] }],
  ["a later end", { ...wish, notAfter: "2026-01-01T00:00:00Z" }],
  ["another name", { ...wish, relationship: "somebody" }],
  ["another patient", { ...wish, subject: "0x000000000000000000000099" }],
])("a draft with %s than wished is refused", (_, other) => {
  expect(() => sign(typed, draft, other)).toThrow(OtherDraft);
});

test("a draft whose hash or words are not those beside it is refused", () => {
  expect(() => sign(typed, { ...draft, summary: "nothing" }, wish)).toThrow(OtherDraft);
  const wider = { ...typed, message: { ...message, terms: { ...terms, sensitivities: 1 } } };
  expect(() => sign(wider, draft, wish)).toThrow(OtherDraft);
  const guardian = { ...typed, message: { ...message, kind: 4 } };
  expect(() => sign(guardian, { ...draft, consent_id: idOf(guardian) }, wish)).toThrow(OtherDraft);
});

function consent(kind: string, relationship: string, more: Partial<Consent> = {}): Consent {
  const message = { delegate: "0xAA", powers: 5, terms: { relationship } };
  return { kind, state: "live", received_at: null, message, ...more } as unknown as Consent;
}

test("powers are told apart: people, guardians, devices of one's own", () => {
  const found = powersIn([
    consent("permit", ""),
    consent("delegation", "Anna, my sister"),
    consent("guardianship", asDevice("MTH"), { state: "revoked" }),
    consent("delegation", asDevice("my laptop")),
  ]);
  expect(found.map((one) => [one.name, one.isDevice, one.isGuardian, isStanding(one)])).toEqual([
    ["Anna, my sister", false, false, true],
    ["ONESELF: MTH", false, true, false],
    ["my laptop", true, false, true],
  ]);
  expect(found[0]?.powers).toEqual(["grant", "read"]);
});

test("purposes by group; what is in none is other", () => {
  const all = ["TREAT", "HMARKT", "PATRQT", "HRESCH"];
  expect(codesOf(["own", "care"], all)).toEqual(["TREAT", "PATRQT"]);
  expect(codesOf(["other"], all)).toEqual(["HMARKT"]);
  expect(codesOf([], all)).toEqual([]);
});

test("every purpose of a group is in the table", () => {
  const table = JSON.parse(readFileSync("../backend/consent/data/v3/purpose_of_use.json", "utf8")) as {
    codes: { code: string }[];
  };
  const known = new Set(table.codes.map((one) => one.code));
  expect(
    Object.values(GROUPS)
      .flat()
      .filter((code) => !known.has(code)),
  ).toEqual([]);
});

test("an account is read with the blanks of its groups", () => {
  const account = "0x00000000000000000000000000000000000000AA";
  expect(accountIn(` ${inGroups(account)}\n`)).toBe(account);
  expect(accountIn("0x00")).toBeNull();
  expect(accountIn(`${account}0`)).toBeNull();
});
