import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Request } from "../src/api/queries";
import { asked, shownIn, type Answer } from "../src/patient/answer";
import { idOf, OtherDraft, requireDraft } from "../src/wallet/typed";
import type { TypedData } from "../src/wallet/types";

const bits = {
  purposes: { TREAT: 1 },
  categories: { laboratory: 0, notes: 1 },
  sensitivities: { N: 0 },
  actions: { access: 0 },
};
const grantee = `0x${"ab".repeat(32)}`;
const request = {
  request_id: `0x${"01".repeat(32)}`,
  subject: "0x00000000000000000000002a",
  requester: grantee,
  purposes: ["TREAT"],
  categories: ["laboratory", "notes"],
  sensitivities: ["N"],
  actions: ["access"],
  data_from: "2020-01-01T00:00:00Z",
  data_to: null,
  not_before: null,
  not_after: "2030-01-01T00:00:00Z",
  erase_by: null,
  max_uses: 3,
  frequency: null,
} as unknown as Request;
const vectors = JSON.parse(readFileSync("../vectors/typed_data.json", "utf8")) as {
  cases: { typedData: TypedData }[];
};
const published = vectors.cases.find(({ typedData }) => typedData.primaryType === "Grant")
  ?.typedData as TypedData;
const terms = {
  ...(published.message.terms as Record<string, unknown>),
  ...{ decision: 1, grantee, purposes: "2", categories: "3", sensitivities: "1", actions: "1" },
  ...{ dataFrom: "1577836800", dataTo: "1099511627775", eraseBy: "1099511627775" },
  ...{ maxUses: 3, usesPerPeriod: 4294967295, periodSeconds: 0 },
  ...{ breakGlass: 3, breakGlassCategories: "0", redelegationDepth: 0, rules: [] },
};
const message = {
  ...{ ...published.message, subject: "42", kind: 1, request: request.request_id, terms },
  ...{ notBefore: "0", notAfter: "1893456000" },
};

const exception = {
  ...{ permit: true, purposes: "0", categories: "0", sensitivities: "0", actions: "0", grantees: [] },
  ...{ dataFrom: "0", dataTo: "1099511627775", references: [], obligations: "0" },
};

function sign(changes: object, more: object, answer: Answer = "grant", narrowing = asked(request)): void {
  const typed = { ...published, message: { ...message, ...changes, terms: { ...terms, ...more } } };
  const draft = { consent_id: idOf(typed), summary: String((terms as { summary?: unknown }).summary) };
  requireDraft(typed, draft, shownIn(request, answer, narrowing, bits));
}

test("an answer is signed as it was asked and narrowed", () => {
  expect(() => sign({}, {})).not.toThrow();
  const narrowed = { ...asked(request), categories: ["notes"] };
  expect(() => sign({}, { categories: "2" }, "grant", narrowed)).not.toThrow();
  expect(() => sign({ kind: 5 }, { decision: 2 }, "refuse", narrowed)).not.toThrow();
});

test.each([
  ["a kind that was switched off", {}, {}, { ...asked(request), categories: ["notes"] }],
  ["a later end", {}, {}, { ...asked(request), notAfter: "2029-01-01T00:00:00Z" }],
  ["another purpose", {}, { purposes: "3" }, asked(request)],
  ["older data", {}, { dataFrom: "0" }, asked(request)],
  ["more uses", {}, { maxUses: 4294967295 }, asked(request)],
  ["another organisation", {}, { grantee: `0x${"cd".repeat(32)}` }, asked(request)],
  ["emergencies", {}, { breakGlass: 1 }, asked(request)],
  ["passing on", {}, { redelegationDepth: 1 }, asked(request)],
  ["an exception", {}, { rules: [exception] }, asked(request)],
  ["another patient", { subject: "43" }, {}, asked(request)],
  ["another request", { request: `0x${"02".repeat(32)}` }, {}, asked(request)],
])("a draft with %s is refused", (_, changes, more, narrowing) => {
  expect(() => sign(changes, more, "grant", narrowing)).toThrow(OtherDraft);
});
