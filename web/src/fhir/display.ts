/**
 * FHIR R4 resources as people read them: what, when, how much, and whether it is usual. Nothing is guessed:
 * what has no place here is shown under its own name, and the whole resource is one click away.
 */

export interface Resource {
  resourceType: string;
  id?: string;
  [element: string]: unknown;
}

export interface Measured {
  value: number;
  unit: string;
  low: number | null;
  high: number | null;
}

export interface Shown {
  resource: Resource;
  /** The resource's own words for what it is. */
  what: string;
  /** ISO date or moment, as precise as the resource is; null when it says none. */
  when: string | null;
  /** The value or state, in words; empty when there is none. */
  value: string;
  measured: Measured | null;
  /** HL7 v3 ObservationInterpretation code, such as H or L; empty when none is given. */
  flag: string;
}

export type Group =
  | "conditions"
  | "medications"
  | "results"
  | "vitals"
  | "allergies"
  | "vaccinations"
  | "procedures"
  | "visits"
  | "documents"
  | "person"
  | "other";

const GROUPS: Record<string, Group> = {
  Condition: "conditions",
  MedicationRequest: "medications",
  MedicationStatement: "medications",
  MedicationAdministration: "medications",
  AllergyIntolerance: "allergies",
  Immunization: "vaccinations",
  Procedure: "procedures",
  Encounter: "visits",
  DiagnosticReport: "documents",
  DocumentReference: "documents",
  Composition: "documents",
  Patient: "person",
};

// Where R4 puts the moment that matters, the first that is there.
const MOMENTS = [
  "effectiveDateTime",
  "effectivePeriod",
  "effectiveInstant",
  "onsetDateTime",
  "onsetPeriod",
  "occurrenceDateTime",
  "performedDateTime",
  "performedPeriod",
  "period",
  "authoredOn",
  "dateAsserted",
  "recordedDate",
  "issued",
  "date",
  "birthDate",
];
const NAMES = ["code", "medicationCodeableConcept", "vaccineCode", "type", "class"];

export function groupOf(resource: Resource): Group {
  if (resource.resourceType === "Observation") {
    return codesOf(resource.category).includes("vital-signs") ? "vitals" : "results";
  }
  return GROUPS[resource.resourceType] ?? "other";
}

export function shownOf(resource: Resource): Shown {
  return {
    resource,
    what: nameOf(resource),
    when: momentOf(resource),
    value: valueOf(resource),
    measured: measuredOf(resource),
    flag: codesOf(resource.interpretation)[0] ?? "",
  };
}

/** The resources of a bundle, or the one resource that a document is. Raises SyntaxError for what is no JSON. */
export function resourcesIn(json: string): Resource[] {
  const document = JSON.parse(json) as Resource;
  if (document.resourceType !== "Bundle") {
    return [document];
  }
  return items(document.entry)
    .map((entry) => entry.resource)
    .filter((one): one is Resource => typeof one === "object" && one !== null && "resourceType" in one);
}

function nameOf(resource: Resource): string {
  if (resource.resourceType === "Patient") {
    const [name] = items(resource.name);
    const given = strings(name?.given).join(" ");
    return text(name?.text) || `${given} ${text(name?.family)}`.trim() || resource.resourceType;
  }
  for (const element of NAMES) {
    const words = wordsOf(resource[element]);
    if (words !== "") {
      return words;
    }
  }
  return text(resource.description) || resource.resourceType;
}

function momentOf(resource: Resource): string | null {
  for (const element of MOMENTS) {
    const found = resource[element];
    const moment = text(found) || text(record(found).start);
    if (moment !== "") {
      return moment;
    }
  }
  return null;
}

function valueOf(resource: Resource): string {
  const parts = items(resource.component).map((part) => `${wordsOf(part.code)} ${scalar(part)}`.trim());
  const own = scalar(resource);
  if (own !== "" || parts.length > 0) {
    return [own, ...parts].filter((part) => part !== "").join(", ");
  }
  const dosage = items(resource.dosageInstruction).map((one) => text(one.text));
  const state =
    wordsOf(resource.clinicalStatus) || codesOf(resource.clinicalStatus)[0] || text(resource.status);
  return [text(resource.conclusion), ...dosage].filter((part) => part !== "").join(", ") || state;
}

/** The `value[x]` of an observation or of a component of one. */
function scalar(holder: Record<string, unknown>): string {
  const quantity = record(holder.valueQuantity);
  if (typeof quantity.value === "number") {
    return `${text(quantity.comparator)}${quantity.value} ${unitOf(quantity)}`.trim();
  }
  const { valueInteger, valueBoolean } = holder;
  if (typeof valueInteger === "number" || typeof valueBoolean === "boolean") {
    return String(valueInteger ?? valueBoolean);
  }
  return text(holder.valueString) || wordsOf(holder.valueCodeableConcept) || text(holder.valueDateTime);
}

function measuredOf(resource: Resource): Measured | null {
  const quantity = record(resource.valueQuantity);
  if (typeof quantity.value !== "number" || text(quantity.comparator) !== "") {
    return null;
  }
  const [range] = items(resource.referenceRange);
  return { value: quantity.value, unit: unitOf(quantity), low: bound(range?.low), high: bound(range?.high) };
}

function unitOf(quantity: Record<string, unknown>): string {
  return text(quantity.unit) || text(quantity.code);
}

function bound(value: unknown): number | null {
  const found = record(value).value;
  return typeof found === "number" ? found : null;
}

/** The words of a CodeableConcept, a Coding, or a list that begins with one. */
function wordsOf(value: unknown): string {
  const concept = record(Array.isArray(value) ? value[0] : value);
  const [coding] = items(concept.coding);
  return text(concept.text) || text(coding?.display) || text(concept.display);
}

function codesOf(value: unknown): string[] {
  const concepts = Array.isArray(value) ? value : [value];
  return concepts.flatMap((concept) => items(record(concept).coding).map((coding) => text(coding.code)));
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function items(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(record) : [];
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
