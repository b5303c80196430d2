import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { hashTypedData } from "viem/utils";
import { canonicalJson, digestOf } from "../src/board/canonical";
import {
  DraftDiffers,
  isWholeText,
  requireCommand,
  rulesOf,
  type File,
  type Kind,
} from "../src/board/commands";
import { outputWords, readProposal } from "../src/board/proposal";
import { groupsOf, hasSigned, isOnItsWay, type Motion, type Row } from "../src/board/queue";
import type { TypedData } from "../src/wallet/types";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const TO = 1_790_000_000;
const proposal = {
  schema: 1,
  researcher: "ab".repeat(32),
  title: "Größe und Alter",
  purpose: "HRESCH",
  duo: ["DUO:0000006"],
  variables: [
    { name: "sex", kind: "sex", role: "quasi", system: "", code: "", unit: "", edges: [], levels: [] },
    {
      name: "hba1c",
      kind: "laboratory",
      role: "sensitive",
      system: "http://loinc.org",
      code: "4548-4",
      unit: "%",
      edges: ["5", "7"],
      levels: [],
    },
  ],
  outputs: [{ name: "women", count: [["sex", ["female"]]] }],
  period: [1_760_000_000, TO],
  epsilon: 500_000,
  runs: 2,
  minimum_cohort: 5,
  salt: "cd".repeat(32),
};
const id = `0x${digestOf(proposal)}`;
const conditions = [{ text: "Report yearly", due: "2027-01-01T00:00:00Z", met_at: null, overdue: false }];

function fileOf(changes: Record<string, unknown> = {}): File {
  const study = { study_id: id, state: "proposed", reason: "", proposal, conditions: [] };
  return { study, conditions: [], chain: null, ...changes } as unknown as File;
}

/** As the service drafts it; the published vectors say how each type is written. */
const vectors = JSON.parse(readFileSync("../vectors/typed_data.json", "utf8")) as {
  cases: { typedData: TypedData; digest: string }[];
};

function drafted(kind: string, message: Record<string, unknown>): TypedData {
  const found = vectors.cases.find(({ typedData }) => typedData.primaryType === kind)?.typedData;
  if (found === undefined) {
    throw new Error(`no vector of ${kind}`);
  }
  return { ...found, domain: { ...found.domain, name: "Assent Research" }, message };
}

const permit = (changes: Record<string, unknown> = {}): TypedData =>
  drafted("PermitStudy", {
    study: id,
    rules: id,
    notBefore: 1_760_000_000,
    notAfter: TO,
    submitBy: NOW / 1000 + 8 * 86_400,
    ...changes,
  });

test("JSON is written as the service writes it", () => {
  expect(canonicalJson({ b: [1, null, true], a: { ä: 'x"\n\u0001' } })).toBe(
    '{"a":{"ä":"x\\"\\n\\u0001"},"b":[1,null,true]}',
  );
  expect(() => canonicalJson([0.5])).toThrow(TypeError);
  expect(digestOf({ a: "ä" })).toBe("46e7684c4b1944115e7f227c9f2d1275a3edf7806a40d523d1c77e0df97b3432");
});

describe("what a member signs", () => {
  test("is hashed as it is signed, where it says what the file says", () => {
    expect(requireCommand(permit(), fileOf(), "permit", NOW)).toBe(hashTypedData(permit() as never));
    for (const [kind, type] of [
      ["refuse", "RefuseStudy"],
      ["revoke", "RevokeStudy"],
    ] as const) {
      expect(requireCommand(drafted(type, { study: id }), fileOf(), kind, NOW)).toMatch(/^0x/);
    }
    const chain = { round: 3 } as File["chain"];
    for (const [kind, type] of [
      ["suspend", "SuspendStudy"],
      ["resume", "ResumeStudy"],
    ] as const) {
      expect(requireCommand(drafted(type, { study: id, round: 3 }), fileOf({ chain }), kind, NOW)).toMatch(
        /^0x/,
      );
    }
  });

  test("has the rules of the proposal with its conditions", () => {
    expect(rulesOf(fileOf())).toBe(id);
    const rules = rulesOf(fileOf({ conditions }));
    const due = Date.parse("2027-01-01T00:00:00Z") / 1000;
    expect(rules).toBe(`0x${digestOf(["assent-rules-1", id.slice(2), [{ text: "Report yearly", due }]])}`);
    expect(requireCommand(permit({ rules }), fileOf({ conditions }), "permit", NOW)).toMatch(/^0x/);
  });

  const others: [string, TypedData, File, Kind][] = [
    ["other rules", permit({ rules: `0x${"11".repeat(32)}` }), fileOf(), "permit"],
    ["conditions left out", permit(), fileOf({ conditions }), "permit"],
    ["another study", permit({ study: `0x${"11".repeat(32)}` }), fileOf(), "permit"],
    ["a longer period", permit({ notAfter: TO + 1 }), fileOf(), "permit"],
    ["a date that is past", permit({ submitBy: NOW / 1000 - 1 }), fileOf(), "permit"],
    ["a date far off", permit({ submitBy: NOW / 1000 + 80 * 86_400 }), fileOf(), "permit"],
    ["another decision", drafted("RevokeStudy", { study: id }), fileOf(), "refuse"],
    ["another round", drafted("ResumeStudy", { study: id, round: 4 }), fileOf(), "resume"],
    ["another contract's name", { ...permit(), domain: { name: "Assent Consent" } }, fileOf(), "permit"],
    ["a type that is not what it is called", { ...permit(), types: {} }, fileOf(), "permit"],
    [
      "a text that is not the study",
      drafted("RefuseStudy", { study: id }),
      fileOf({ study: { ...fileOf().study, proposal: { ...proposal, epsilon: 9_000_000 } } }),
      "refuse",
    ],
  ];
  test.each(others)("is refused with %s", (_, typed, file, kind) => {
    expect(() => requireCommand(typed, file, kind, NOW)).toThrow(DraftDiffers);
  });

  test("is of a text whose hash is the study's id", () => {
    expect(isWholeText(fileOf())).toBe(true);
    expect(isWholeText(fileOf({ study: { ...fileOf().study, study_id: `0x${"0".repeat(64)}` } }))).toBe(
      false,
    );
  });
});

describe("a proposal in words", () => {
  test("names what is read and what comes out", () => {
    const found = readProposal(proposal);
    expect(found.epsilon).toBe("0.5");
    expect(found.from).toBe("2025-10-09T08:53:20.000Z");
    expect(found.variables[1]).toMatchObject({
      what: "a laboratory value http://loinc.org|4548-4 (%)",
      groups: ["5", "7"],
    });
    expect(found.outputs[0]?.what).toBe("how many patients there are, among those with sex: female");
    expect(found.price).toBeNull();
    expect(found.outputs[0]?.leavesRecords).toBe(false);
  });

  test.each([
    [{ histogram: "age", where: [] }, "how many patients there are in each group of age"],
    [{ contingency: ["sex", "age"], where: [] }, "how many patients there are in each pair of sex and age"],
    [
      { mean: ["age", "0", "90", 0], where: [["sex", ["male"]]] },
      "the mean of age, between 0 and 90, among those with sex: male",
    ],
    [
      { quantile: ["age", "0", "90", 0], step: "1", per_mille: 250, where: [] },
      "the value of age below which 25 % of patients lie",
    ],
    [
      { regression: ["hba1c", "4", "12", 1], on: ["age", "0", "90", 0], where: [] },
      "how hba1c goes with age",
    ],
    [
      { survival: "months", event: ["died", ["present"]], grid: ["1"], where: [] },
      "how many are without died: present at each time of months",
    ],
    [{ threshold: { count: [] } }, "the exact figure, of large groups only: how many patients there are"],
    [
      { table: ["sex", "age"], k: 5, suppression: 40_000 },
      "a table with one row a patient (sex and age), each row alike for at least 5 patients",
    ],
    [{ fhir: ["laboratory"] }, "records of single patients without names: laboratory"],
    [{ later: "kind" }, '{"later":"kind"}'],
  ])("says %o", (output, words) => {
    expect(outputWords(output)).toBe(words);
  });
});

describe("the list", () => {
  const board = { threshold: 2, members: [] };
  const seat = (member_id: string): Motion["signed_by"][number] => ({ member_id, account: "", name: "" });
  const motion = (...by: string[]): Motion => ({
    kind: "permit",
    number: 0,
    reason: "",
    signed_by: by.map(seat),
  });
  const row = (changes: Partial<Row> = {}): Row =>
    ({
      state: "proposed",
      complete: true,
      open_questions: 0,
      decide_by: "2026-03-20T00:00:00Z",
      motions: [],
      recused: [],
      ...changes,
    }) as Row;
  const member = { member: "a", prepares: false };
  const secretary = { member: null, prepares: true };

  test.each([
    ["a prepared study", row(), ["sign"], ["wait"]],
    ["one that is not prepared", row({ decide_by: null }), ["wait"], ["prepare"]],
    ["one whose papers are missing", row({ complete: false, decide_by: null }), ["wait"], ["prepare"]],
    ["one with an open question", row({ open_questions: 1 }), ["wait"], ["wait"]],
    ["one that somebody else signed", row({ motions: [motion("b")] }), ["sign"], ["wait"]],
    ["one that the member signed", row({ motions: [motion("a")] }), ["wait"], ["wait"]],
    ["one that enough have signed", row({ motions: [motion("b", "c")] }), ["wait"], ["wait"]],
    ["one that the member recused from", row({ recused: ["a"] }), ["wait"], ["wait"]],
    ["one that is permitted", row({ state: "approved" }), ["permitted"], ["permitted"]],
    [
      "one that is suspended while its resumption is signed",
      row({ state: "suspended", motions: [{ ...motion("b"), kind: "resume" }] }),
      ["sign", "suspended"],
      ["suspended"],
    ],
    ["one that was refused", row({ state: "refused" }), ["refused"], ["refused"]],
  ] as [string, Row, string[], string[]][])("puts %s where it belongs", (_, one, ofMember, ofSecretary) => {
    expect(groupsOf(one, member, board)).toEqual(ofMember);
    expect(groupsOf(one, secretary, board)).toEqual(ofSecretary);
  });

  test("of a board of one needs no preparation", () => {
    expect(groupsOf(row({ decide_by: null }), member, { ...board, threshold: 1 })).toEqual(["sign"]);
  });

  test("knows who signed, and when enough have", () => {
    expect(hasSigned(motion("a"), "a")).toBe(true);
    expect(hasSigned(motion("a"), null)).toBe(false);
    expect(isOnItsWay(motion("a", "b"), board)).toBe(true);
    expect(isOnItsWay(motion("a"), board)).toBe(false);
  });
});
