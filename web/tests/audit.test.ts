import { beforeEach, describe, expect, test, vi } from "vitest";
import { collected } from "../src/audit/collecting";
import {
  damagedIn,
  entryOf,
  ENTRY,
  nextOf,
  queryOf,
  ANYTHING,
  type AuditEvent,
  type Bundle,
} from "../src/audit/fhir";
import { actorOf, typeWords } from "../src/audit/entries";
import { forget, keep, kept, tidied } from "../src/audit/kept";

vi.stubGlobal("location", { origin: "https://hospital.example" });
const stored = new Map<string, string>();
vi.stubGlobal("localStorage", {
  getItem: (key: string) => stored.get(key) ?? null,
  setItem: (key: string, value: string) => stored.set(key, value),
});
beforeEach(() => stored.clear());

const event: AuditEvent = {
  resourceType: "AuditEvent",
  id: "entry-7",
  recorded: "2026-03-01T12:00:00.123+00:00",
  extension: [
    {
      url: ENTRY,
      extension: [
        { url: "index", valueString: "7" },
        { url: "leafHash", valueString: "0xab" },
        { url: "type", valueString: "record.read" },
        { url: "outcome", valueString: "denied" },
        { url: "action", valueString: "access" },
        { url: "reason", valueString: "no_consent" },
        { url: "reason", valueString: "purpose" },
        { url: "finalBlock", valueString: "12" },
        {
          url: "detail",
          extension: [
            { url: "name", valueString: "requests" },
            { url: "value", valueString: "3" },
          ],
        },
      ],
    },
  ],
  agent: [
    { who: { identifier: { system: "urn:assent:client", value: "c1" } }, requestor: true },
    { who: { identifier: { system: "urn:assent:audit-log", value: "log" } }, requestor: false },
    { who: { identifier: { system: "urn:assent:member", value: "0xmm" } }, requestor: false },
  ],
  entity: [
    { what: { identifier: { system: "urn:assent:subject", value: "0x01" } } },
    {
      what: { identifier: { system: "urn:assent:record", value: "r1" } },
      detail: [{ valueString: "laboratory.standard" }],
    },
    { what: { identifier: { system: "urn:assent:consent", value: "0xcc" } } },
  ],
  purposeOfEvent: [{ coding: [{ code: "TREAT" }] }],
};

test("an AuditEvent is read as a line of the log", () => {
  expect(entryOf(event)).toEqual({
    index: 7,
    recorded_at: event.recorded,
    leaf_hash: "0xab",
    type: "record.read",
    outcome: "denied",
    actor: "client:c1",
    organisation: "0xmm",
    groups: [],
    subject: "0x01",
    purpose: "TREAT",
    action: "access",
    records: ["r1"],
    segments: ["laboratory.standard"],
    consents: ["0xcc"],
    reasons: ["no_consent", "purpose"],
    obligations: [],
    final_block: 12,
    detail: { requests: "3" },
  });
  expect(actorOf({ actor: "staff:s1" })).toEqual({ kind: "staff", id: "s1" });
  expect(actorOf({ actor: null })).toEqual({ kind: "", id: "" });
  expect(typeWords("study.signed")).toBe("signed a decision on a study");
  expect(typeWords("of.a.later.release")).toBe("of.a.later.release");
});

test("a search has only what was asked for, from the first moment of a day to the last", () => {
  expect(queryOf(ANYTHING, 50).toString()).toBe("_count=50");
  const query = queryOf({ ...ANYTHING, from: "2026-03-01", to: "2026-03-01", type: "record.read" }, 10);
  const [from = "", to = ""] = query.getAll("date");
  expect(Date.parse(to.slice(2)) - Date.parse(from.slice(2))).toBe(86_400_000);
  expect([from.slice(0, 2), to.slice(0, 2)]).toEqual(["ge", "lt"]);
  expect(query.get("subtype")).toBe("urn:assent:audit-type|record.read");
});

describe("an export", () => {
  const page = (index: number, next?: string): Bundle => ({
    resourceType: "Bundle",
    type: "searchset",
    link: [
      { relation: "self", url: `https://hospital.example/fhir/AuditEvent?page=${index}` },
      ...(next === undefined
        ? []
        : [{ relation: "next", url: `https://hospital.example/fhir/AuditEvent?${next}` }]),
    ],
    entry: [{ resource: { ...event, id: `entry-${index}` }, search: { mode: "match" } }],
  });
  const damaged: Bundle = {
    resourceType: "Bundle",
    type: "searchset",
    entry: [
      {
        resource: {
          resourceType: "OperationOutcome",
          issue: [{ severity: "error" }, { severity: "warning" }],
        },
        search: { mode: "outcome" },
      },
    ],
  };
  const pages: Record<string, Bundle> = {
    "_count=1": page(3, "_cursor=a&date=ge2026&date=lt2027"),
    "_cursor=a&date=ge2026&date=lt2027": page(2, "_cursor=b"),
    "_cursor=b": damaged,
  };
  const search = (query: URLSearchParams): Promise<Bundle> =>
    Promise.resolve(pages[query.toString()] as Bundle);

  test("has every page in one Bundle, what is damaged told too", async () => {
    const found = await collected(queryOf(ANYTHING, 1), search, () => true);
    expect([found.state, found.count, found.damaged]).toEqual(["whole", 2, 1]);
    expect(found.bundle.entry?.length).toBe(3);
    expect(found.bundle.link).toEqual([
      { relation: "self", url: "https://hospital.example/fhir/AuditEvent?page=3" },
    ]);
  });

  test("stops when it is told to", async () => {
    const found = await collected(queryOf(ANYTHING, 1), search, (count) => count < 2);
    expect([found.state, found.count]).toEqual(["stopped", 2]);
  });

  test("of nothing has no entries", async () => {
    const empty: Bundle = { resourceType: "Bundle", type: "searchset" };
    const found = await collected(
      new URLSearchParams(),
      () => Promise.resolve(empty),
      () => true,
    );
    expect(found).toMatchObject({ state: "whole", count: 0, damaged: 0 });
    expect("entry" in found.bundle).toBe(false);
    expect(nextOf(empty)).toBeNull();
    expect(damagedIn(empty)).toBe(0);
  });
});

describe("kept checkpoints", () => {
  test("stay until they are forgotten, the newest first, each once", () => {
    keep("a\n", new Date(0));
    keep("b\n", new Date(1));
    expect(keep("a\n", new Date(2)).map(({ note }) => note)).toEqual(["a\n", "b\n"]);
    expect(forget("a\n").map(({ note }) => note)).toEqual(["b\n"]);
    expect(kept()).toEqual([{ note: "b\n", at: new Date(1).toISOString() }]);
  });

  test("that something else wrote are none", () => {
    for (const text of ["{", "7", '[1, {"note": 2}]']) {
      stored.set("assent.checkpoints", text);
      expect(kept()).toEqual([]);
    }
  });

  test("are as they were signed, whatever the clipboard did", () => {
    expect(tidied("  a\r\n1\r\n\r\n— a b\r\n\r\n")).toBe("a\n1\n\n— a b\n");
  });
});
