import { describe, expect, test } from "vitest";
import { groupOf, resourcesIn, shownOf, type Resource } from "../src/fhir/display";

const glucose: Resource = {
  resourceType: "Observation",
  status: "final",
  category: [{ coding: [{ code: "laboratory" }] }],
  code: { coding: [{ system: "http://loinc.org", code: "2339-0", display: "Glucose" }] },
  effectiveDateTime: "2026-03-01T08:00:00Z",
  valueQuantity: { value: 128, unit: "mg/dL" },
  referenceRange: [{ low: { value: 70 }, high: { value: 100 } }],
  interpretation: [{ coding: [{ code: "H" }] }],
};

describe("an observation", () => {
  test("shows its value with its range and whether it is usual", () => {
    expect(shownOf(glucose)).toMatchObject({
      what: "Glucose",
      when: "2026-03-01T08:00:00Z",
      value: "128 mg/dL",
      measured: { value: 128, unit: "mg/dL", low: 70, high: 100 },
      flag: "H",
    });
    expect(groupOf(glucose)).toBe("results");
  });

  test("below a limit of detection is not drawn as a number", () => {
    const low = shownOf({ ...glucose, valueQuantity: { comparator: "<", value: 5, unit: "mg/dL" } });
    expect([low.value, low.measured]).toEqual(["<5 mg/dL", null]);
  });

  test("of several components shows all of them", () => {
    const pressure = shownOf({
      resourceType: "Observation",
      code: { text: "Blood pressure" },
      component: [
        { code: { text: "Systolic" }, valueQuantity: { value: 120, unit: "mmHg" } },
        { code: { text: "Diastolic" }, valueQuantity: { value: 80, unit: "mmHg" } },
      ],
    });
    expect(pressure.value).toBe("Systolic 120 mmHg, Diastolic 80 mmHg");
  });

  test.each([
    [{ valueCodeableConcept: { text: "negative" } }, "negative"],
    [{ valueString: "A Rh+" }, "A Rh+"],
    [{ valueInteger: 0 }, "0"],
    [{ valueBoolean: false }, "false"],
  ])("with %j shows it", (value, words) => {
    expect(shownOf({ resourceType: "Observation", ...value }).value).toBe(words);
  });
});

test.each([
  [
    { resourceType: "Condition", code: { text: "Asthma" }, clinicalStatus: { coding: [{ code: "active" }] } },
    "Asthma",
    "active",
  ],
  [
    {
      resourceType: "MedicationRequest",
      medicationCodeableConcept: { text: "Ibuprofen" },
      dosageInstruction: [{ text: "one a day" }],
    },
    "Ibuprofen",
    "one a day",
  ],
  [{ resourceType: "Patient", name: [{ given: ["Ada", "B."], family: "Lovelace" }] }, "Ada B. Lovelace", ""],
  [{ resourceType: "Basic" }, "Basic", ""],
])("%j has a name and a state", (resource, what, value) => {
  expect(shownOf(resource as Resource)).toMatchObject({ what, value });
});

test("a bundle gives its resources, a document itself, and holes are left out", () => {
  const bundle = { resourceType: "Bundle", entry: [{ resource: glucose }, {}, { resource: null }] };
  expect(resourcesIn(JSON.stringify(bundle))).toEqual([glucose]);
  expect(resourcesIn(JSON.stringify(glucose))).toEqual([glucose]);
  expect(() => resourcesIn("no json")).toThrow(SyntaxError);
});

test("anything at all is shown without failing", () => {
  for (const odd of [
    { resourceType: "Observation", code: 7, referenceRange: "x", component: {} },
    { resourceType: "Patient", name: [] },
  ]) {
    expect(() => shownOf(odd as Resource)).not.toThrow();
  }
});
