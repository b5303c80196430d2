/** The log as FHIR AuditEvents: what to search for, and what the pages show of one. */
import type { Entry } from "./entries";

export const ENTRY = "urn:assent:fhir:audit-entry";
export const TYPE_SYSTEM = "urn:assent:audit-type";
const SUBJECT = "urn:assent:subject";
const MEMBER = "urn:assent:member";

type Json = Record<string, unknown>;

export interface Bundle {
  resourceType: "Bundle";
  type: string;
  link?: { relation: string; url: string }[];
  entry?: BundleEntry[];
}

export interface BundleEntry {
  fullUrl?: string;
  resource: AuditEvent | Json;
  search?: { mode: string };
}

interface Extension {
  url: string;
  valueString?: string;
  extension?: Extension[];
}

export interface Reference {
  identifier?: { system?: string; value?: string };
  display?: string;
  type?: string;
}

export interface AuditEvent {
  resourceType: "AuditEvent";
  id: string;
  recorded: string;
  outcome?: string;
  extension?: Extension[];
  agent?: { who?: Reference; requestor?: boolean; type?: unknown }[];
  entity?: { what?: Reference; detail?: { valueString?: string }[] }[];
  purposeOfEvent?: { coding?: { code?: string }[] }[];
}

export interface Criteria {
  /** Days, as an input element gives them; '' for any. */
  from: string;
  to: string;
  type: string;
  outcome: string;
  patient: string;
  agent: string;
}

export const ANYTHING: Criteria = { from: "", to: "", type: "", outcome: "", patient: "", agent: "" };

/** The search's parameters; days are those of whoever looks. */
export function queryOf(criteria: Criteria, count: number): URLSearchParams {
  const query = new URLSearchParams();
  const put = (name: string, value: string): void => {
    if (value.trim() !== "") {
      query.append(name, value.trim());
    }
  };
  put("date", criteria.from === "" ? "" : `ge${startOf(criteria.from)}`);
  put("date", criteria.to === "" ? "" : `lt${startOf(criteria.to, 1)}`);
  put("subtype", criteria.type === "" ? "" : `${TYPE_SYSTEM}|${criteria.type}`);
  put("outcome", criteria.outcome);
  put("patient", criteria.patient);
  put("agent", criteria.agent);
  query.append("_count", String(count));
  return query;
}

function startOf(day: string, later = 0): string {
  const at = new Date(`${day}T00:00:00`);
  at.setDate(at.getDate() + later);
  return at.toISOString();
}

/** The next page's search; null at the end. */
export function nextOf(bundle: Bundle): URLSearchParams | null {
  const next = bundle.link?.find(({ relation }) => relation === "next")?.url;
  return next === undefined ? null : new URL(next, location.origin).searchParams;
}

export function eventsIn(bundle: Bundle): AuditEvent[] {
  return (bundle.entry ?? []).map(({ resource }) => resource).filter(isEvent);
}

/** How many entries the page could not show, because what is stored of them is damaged. */
export function damagedIn(bundle: Bundle): number {
  return (bundle.entry ?? [])
    .filter(({ search }) => search?.mode === "outcome")
    .flatMap(({ resource }) => (resource as { issue?: { severity?: string }[] }).issue ?? [])
    .filter(({ severity }) => severity === "error").length;
}

function isEvent(resource: AuditEvent | Json): resource is AuditEvent {
  return resource.resourceType === "AuditEvent";
}

/** An AuditEvent as a line of the log. */
export function entryOf(event: AuditEvent): Entry {
  const said = event.extension?.find(({ url }) => url === ENTRY)?.extension ?? [];
  const one = (name: string): string | null => said.find(({ url }) => url === name)?.valueString ?? null;
  const all = (name: string): string[] =>
    said.filter(({ url }) => url === name).flatMap(({ valueString }) => valueString ?? []);
  const things = event.entity?.flatMap(({ what }) => what ?? []) ?? [];
  const named = (system: string): string[] =>
    things.flatMap(({ identifier }) => (identifier?.system === system ? (identifier.value ?? []) : []));
  const block = one("finalBlock");
  return {
    index: Number(event.id.replace("entry-", "")),
    recorded_at: event.recorded,
    leaf_hash: one("leafHash") ?? "",
    type: one("type"),
    outcome: one("outcome"),
    actor: actorOf(event),
    organisation: organisationOf(event),
    groups: all("group"),
    subject: named(SUBJECT)[0] ?? null,
    purpose: event.purposeOfEvent?.[0]?.coding?.[0]?.code ?? null,
    action: one("action"),
    records: named("urn:assent:record"),
    segments: (event.entity ?? []).flatMap(
      ({ detail }) => detail?.flatMap((part) => part.valueString ?? []) ?? [],
    ),
    consents: named("urn:assent:consent"),
    reasons: all("reason"),
    obligations: [],
    final_block: block === null ? null : Number(block),
    detail: Object.fromEntries(
      said
        .filter(({ url }) => url === "detail")
        .map(({ extension }) => [
          extension?.find(({ url }) => url === "name")?.valueString ?? "",
          extension?.find(({ url }) => url === "value")?.valueString ?? "",
        ]),
    ),
  };
}

/** As the log's own list writes it: kind and id. */
function actorOf({ agent = [] }: AuditEvent): string | null {
  const asked = agent.find(({ requestor }) => requestor === true)?.who ?? agent[0]?.who;
  const { system, value } = asked?.identifier ?? {};
  return system === undefined
    ? asked?.display === undefined
      ? null
      : `${asked.display}:`
    : `${system.replace("urn:assent:", "")}:${value ?? ""}`;
}

function organisationOf({ agent = [] }: AuditEvent): string | null {
  const found = agent.find(({ who, requestor }) => requestor === false && who?.identifier?.system === MEMBER);
  return found?.who?.identifier?.value ?? null;
}
