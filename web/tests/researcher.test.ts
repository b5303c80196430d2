import { describe, expect, test } from "vitest";
import { asAmount, asDecimal, asLevel, asLoss, asRange, numberOf, pairOf } from "../src/researcher/numbers";
import { csv, tableOf } from "../src/researcher/result";
import { bar, scale, scaleOf, segments, steps, WIDTH } from "../src/researcher/scale";
import { proposalFrom } from "../src/researcher/stored";
import {
  bodyOf,
  draftOf,
  duoOf,
  emptyDraft,
  emptyOutput,
  gaps,
  proposalOf,
  quotable,
  STEPS,
  stepOf,
  variableOf,
  without,
  type Draft,
} from "../src/researcher/wizard/draft";
import { KINDS, read, STATEMENTS, written } from "../src/researcher/wizard/duo";
import { edgesOf, levelsOfEdges } from "../src/researcher/wizard/levels";

const NOW = Date.parse("2026-11-26T12:00:00Z");
const SEX = variableOf({
  name: "sex",
  title: "Administrative gender",
  kind: "sex",
  role: "quasi",
  categories: ["demographics"],
  variable: { name: "sex", kind: "sex", role: "quasi" },
  levels: ["female", "male", "other", "unknown", "missing"],
});
const AGE = { ...SEX, name: "age", kind: "age" as const, edges: ["18", "65"], reference_date: "2026-01-01" };

function complete(changes: Partial<Draft> = {}): Draft {
  return {
    ...emptyDraft(NOW, "key"),
    title: " Sex and age ",
    variables: [
      { title: "Sex", body: SEX, levels: ["female", "male", "other", "unknown", "missing"] },
      { title: "Age", body: AGE, levels: ["<18", "[18,65)", ">=65", "missing"] },
    ],
    outputs: [{ ...emptyOutput("histogram", []), name: "ages", variable: "age" }],
    ...changes,
  };
}

describe("a plot", () => {
  test("has room for zero, every value and every bar", () => {
    const on = scaleOf([-3, 40], 5);
    expect([on.low, on.high]).toEqual([-8, 45]);
    for (const value of [-8, -3, 0, 40, 45]) {
      expect(on.at(value)).toBeGreaterThanOrEqual(0);
      expect(on.at(value)).toBeLessThanOrEqual(WIDTH);
    }
  });
  test("draws a negative value to the left of zero, and its error around its end", () => {
    const on = scale(-10, 10);
    expect(bar(on, -5, 2)).toEqual({ start: 250, width: 250, from: 150, to: 350 });
    expect(bar(on, 5, 2)).toEqual({ start: 500, width: 250, from: 650, to: 850 });
  });
  test("of nothing but zeros divides by nothing", () => {
    expect(bar(scaleOf([0], 0), 0, 0)).toEqual({ start: 0, width: 0, from: 0, to: 0 });
    expect(scale(3, 3).at(3)).toBe(0);
  });
  test("of a curve falls in steps from everybody", () => {
    const points = [
      { time: 6, value: 0.9, low: 0.8, high: 1 },
      { time: 12, value: 0.5, low: 0.4, high: 0.6 },
    ];
    const same = (value: number): number => value;
    expect(steps(points, "value", same, same)).toEqual([
      [0, 1],
      [6, 1],
      [6, 0.9],
      [12, 0.9],
      [12, 0.5],
    ]);
  });
  test("of a budget puts what is next behind what is spent, and ends at the total", () => {
    expect(segments(4, [1, 1])).toEqual([
      { start: 0, width: 250 },
      { start: 250, width: 250 },
    ]);
    expect(segments(4, [3, 9])[1]).toEqual({ start: 750, width: 250 });
    expect(segments(0, [0])).toEqual([{ start: 0, width: 0 }]);
  });
});

test("numbers are written as researchers read them", () => {
  expect(asLoss(0.0123456)).toBe("0.0123");
  expect(asAmount("1000000000000000000000")).toBe("1,000,000,000,000,000,000,000");
  expect(asDecimal("7.125")).toBe("7.125");
  expect(asDecimal("")).toBe("hidden by the noise");
  expect(asRange({ low: 0, high: 20 })).toBe("fewer than 20");
  expect(asRange({ low: 1200, high: 1250 })).toBe("1,200 to 1,249");
  expect([numberOf(""), numberOf("x"), numberOf(" 1.5 ")]).toEqual([null, null, 1.5]);
});

test.each([
  ["<18", "under 18"],
  ["[18,65)", "18 to under 65"],
  [">=65", "65 or more"],
  ["missing", "not recorded, or not permitted"],
  ["US", "US"],
])("the level %s is %s in words", (level, words) => {
  expect(asLevel(level)).toBe(words);
});

test("a cell of two variables has two levels", () => {
  expect(pairOf("female | [18,65)")).toEqual(["female", "[18,65)"]);
  expect(pairOf("female")).toEqual(["female", ""]);
});

describe("bins", () => {
  test("have one below and one above", () => {
    expect(levelsOfEdges(["18", "40", "65"])).toEqual(["<18", "[18,40)", "[40,65)", ">=65", "missing"]);
    expect(levelsOfEdges([])).toBeNull();
  });
  test.each([
    ["18, 40,65", ["18", "40", "65"]],
    ["-5.7, 6", ["-5.7", "6"]],
    ["5.7", null],
    ["40, 18", null],
    ["18, 18", null],
    ["", null],
    ["1e3", null],
  ])("typed as %j are %j", (text, edges) => {
    expect(edgesOf(text)).toEqual(edges);
  });
});

describe("terms of the Data Use Ontology", () => {
  test("are written as the service reads them", () => {
    const draft = complete({
      kind: "DS",
      disease: " MONDO_0005148 ",
      statements: { PUB: "", TS: "12", MOR: "2027-01-31" },
    });
    expect(duoOf(draft)).toEqual([
      "DUO:0000007:MONDO_0005148",
      "DUO:0000019",
      "DUO:0000024:20270131",
      "DUO:0000025:12",
    ]);
  });
  test("come back as they were typed", () => {
    for (const term of [...KINDS, ...STATEMENTS]) {
      const argument = { none: "", text: "MONDO_1", months: "12", date: "2027-01-31" }[term.argument];
      expect(read(written(term, argument))).toEqual({ found: term, argument });
    }
    expect(read("DUO:9999999")).toBeNull();
  });
  test("name every term once", () => {
    const ids = [...KINDS, ...STATEMENTS].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("a draft", () => {
  test("that is complete lacks nothing and becomes what the service takes", () => {
    const draft = complete({
      criteria: [{ variable: "sex", levels: ["female"] }],
      paid: true,
      amount: "250",
      papers: [{ name: "Protocol", media_type: "application/pdf", sha256: `0x${"ab".repeat(32)}` }],
    });
    expect(STEPS.flatMap((step) => gaps(draft)[step])).toEqual([]);
    const body = proposalOf(draft, `0x${"01".repeat(20)}`);
    expect(body.title).toBe("Sex and age");
    expect(body.outputs[0]).toMatchObject({
      kind: "histogram",
      name: "ages",
      variable: "age",
      where: [{ variable: "sex", levels: ["female"] }],
    });
    expect(body.price).toEqual({ token: `0x${"01".repeat(20)}`, amount: "250", basis: "patient" });
    expect(body.dataset).toBeNull();
    expect([body.epsilon, body.runs, body.minimum_cohort]).toEqual([0.5, 1, 5]);
    expect(Date.parse(body.not_before)).toBeLessThan(Date.parse(body.not_after));
  });
  test("that is empty says at each step what it lacks", () => {
    const lacking = gaps({ ...emptyDraft(NOW, "key"), epsilon: "11", runs: "0", until: "2020-01-01" });
    expect(lacking.purpose).toEqual(["title"]);
    expect(lacking.variables).toEqual(["variables"]);
    expect(lacking.outputs).toEqual(["outputs"]);
    expect(lacking.budget).toEqual(["epsilon", "runs", "period"]);
  });
  test("of records needs a paper, and of a recursive model its numbers", () => {
    expect(gaps(complete({ outputs: [emptyOutput("fhir", [])] })).papers).toEqual(["papers"]);
    const table = { ...emptyOutput("table", []), variables: ["sex"] };
    expect(gaps(complete({ outputs: [table], diversity: "recursive", l: "3" })).outputs).toEqual(["model"]);
  });
  test("has no two results of one name", () => {
    const twice = emptyOutput("count", []);
    expect(gaps(complete({ outputs: [twice, twice] })).outputs).toEqual(["outputName"]);
    expect(emptyOutput("count", ["count", "count_2"]).name).toBe("count_3");
  });
  test("forgets a variable everywhere at once", () => {
    const draft = complete({ criteria: [{ variable: "age", levels: ["<18"] }] });
    const left = without(draft, "age");
    expect(left.variables.map(({ body }) => body.name)).toEqual(["sex"]);
    expect([left.criteria, left.outputs[0]?.variable]).toEqual([[], ""]);
  });
  test("is matched by its terms before it has variables, and then has no price of its own", () => {
    const asked = quotable({ ...emptyDraft(NOW, "key"), kind: "HMB" }, null);
    expect(asked?.isComplete).toBe(false);
    expect(asked?.body.duo).toEqual(["DUO:0000006"]);
    expect(asked?.body.outputs).toHaveLength(1);
    expect(quotable(complete(), null)?.isComplete).toBe(true);
    expect(quotable({ ...complete(), kind: "DS" }, null)).toBeNull();
  });
  test("of a dataset carries its privacy model, and no filter goes into the table", () => {
    const table = { ...emptyOutput("table", []), variables: ["sex"], k: "11" };
    const body = proposalOf(complete({ outputs: [table], t: "0.2" }), null);
    expect(body.dataset).toEqual({ mode: "strict", diversity: "none", l: "", c: "", t: "0.2" });
    expect(bodyOf(table, [{ variable: "sex", levels: ["female"] }])).toMatchObject({ where: [], k: 11 });
  });
});

test.each([
  ["title", "purpose"],
  ["duo", "terms"],
  ["variables.1.edges", "variables"],
  ["minimum_cohort", "cohort"],
  ["outputs.0.where", "cohort"],
  ["outputs.0.variable", "outputs"],
  ["dataset.l", "outputs"],
  ["not_after", "budget"],
  ["documents.0.name", "papers"],
  ["amends", "review"],
])("the field %s belongs to the step %s", (field, step) => {
  expect(stepOf(field)).toBe(step);
});

describe("a stored proposal", () => {
  // As `Proposal.as_json` writes it: see tests/unit of the service for the same form.
  const stored = {
    schema: 2,
    price: { token: `0x${"01".repeat(20)}`, amount: "250", basis: "study" },
    documents: [],
    dataset: null,
    amends: "ab".repeat(32),
    researcher: "00".repeat(32),
    title: "Visits",
    purpose: "HRESCH",
    duo: ["DUO:0000006", "DUO:0000024:20270131"],
    variables: [
      { ...SEX, source: undefined },
      {
        ...SEX,
        name: "visits",
        kind: "view",
        role: "sensitive",
        edges: ["1", "5"],
        source: {
          view: "encounters",
          digest: "cd",
          column: "class",
          take: "count",
          categories: 8,
          where: [["class", "AMB"]],
        },
      },
    ],
    outputs: [
      { name: "women", count: [["sex", ["female"]]] },
      { name: "both", contingency: ["sex", "visits"], where: [["sex", ["female"]]] },
      { name: "exact", threshold: { histogram: "sex", where: [] } },
      { name: "median", quantile: ["age", "18", "90", 0], step: "1", per_mille: 500, where: [] },
    ],
    period: [1_800_000_000, 1_810_000_000],
    epsilon: 500_000,
    runs: 2,
    minimum_cohort: 7,
    salt: "00".repeat(32),
  };
  test("reads back into what was proposed", () => {
    const body = proposalFrom(stored);
    expect(body.epsilon).toBe(0.5);
    expect(body.amends).toBe(`0x${"ab".repeat(32)}`);
    expect(body.variables[1]?.source).toEqual({
      view: "encounters",
      column: "class",
      take: "count",
      where: { class: "AMB" },
    });
    expect(body.outputs.map(({ kind }) => kind)).toEqual([
      "count",
      "contingency",
      "threshold_histogram",
      "quantile",
    ]);
    expect(body.outputs[0]?.where).toEqual([{ variable: "sex", levels: ["female"] }]);
  });
  test("fills the fields of a new version, which says the same again", () => {
    const body = proposalFrom({ ...stored, outputs: stored.outputs.slice(1, 2) });
    const draft = draftOf(body, [], "key");
    expect(draft.statements).toEqual({ MOR: "2027-01-31" });
    const again = proposalOf(draft, `0x${"01".repeat(20)}`);
    expect({ ...again, not_before: "", not_after: "" }).toEqual({ ...body, not_before: "", not_after: "" });
  });
});

describe("a file of results", () => {
  const answer = {
    name: "women",
    kind: "count",
    id: "",
    levels: ["patients"],
    values: [12],
    error_95: 3,
    rho: 1,
    estimates: [],
    method: "",
  };
  test("has levels with their error, or estimates with their bars", () => {
    expect(tableOf(answer).rows).toEqual([["patients", "12", "3"]]);
    const mean = {
      ...answer,
      kind: "mean",
      estimates: [{ name: "mean", value: "7.1", low: "6", high: "8" }],
    };
    expect(tableOf(mean)).toEqual({
      head: ["name", "value", "low", "high"],
      rows: [["mean", "7.1", "6", "8"]],
    });
  });
  test("quotes what must be quoted, and nothing in it is a formula", () => {
    expect(csv(["a"], [['x,"y"'], ["=1+1"], ["-5"], ["-x"]])).toBe(
      `a\r\n"x,""y"""\r\n'=1+1\r\n-5\r\n'-x\r\n`,
    );
  });
});
