import { describe, expect, test } from "vitest";
import type { Schemas } from "../src/api/client";
import { digestOf } from "../src/staff/upload/digest";
import { bundleFault, kindOf } from "../src/staff/upload/kinds";
import { filingOf } from "../src/staff/upload/labels";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

describe("a file is what its first bytes say", () => {
  test.each([
    ["report.pdf", "%PDF-1.7 ...", "application/pdf"],
    ["report", "%PDF-1.7 ...", "application/pdf"],
    ["scan.png", "\x89PNG\r\n\x1a\n", "image/png"],
    ["photo.JPG", "\xff\xd8\xff\xe0", "image/jpeg"],
    ["fax.tif", "II*\0", "image/tiff"],
    ["fax.tiff", "MM\0*", "image/tiff"],
    ["photo.webp", "RIFF\x10\0\0\0WEBP", "image/webp"],
    ["slice.dcm", `${"\0".repeat(128)}DICM`, "application/dicom"],
    ["letter.xml", "<?xml version='1.0'?>", "application/xml"],
    ["bundle.json", '{"resourceType": "Bundle"}', "application/fhir+json"],
    ["bundle", '  {"resourceType": "Bundle"}', "application/fhir+json"],
    ["note.txt", "Dear colleague,", "text/plain"],
  ])("%s", (name, head, mediaType) => {
    expect(kindOf(name, bytes(head))).toEqual({ mediaType });
  });

  test.each([
    ["empty.pdf", "", "empty"],
    ["report.pdf", "<html>", "damaged"],
    ["scan.png", "%PD", "damaged"],
    ["slice.dcm", "DICM", "damaged"],
    ["program.exe", "MZ\x90\0", "unknown"],
    ["note.txt", "\x7fELF\0\0", "unknown"],
  ])("%s is refused before it is sent", (name, head, fault) => {
    expect(kindOf(name, bytes(head))).toEqual({ fault });
  });
});

test.each([
  ['{"resourceType": "Bundle"', "malformed"],
  ["[]", "notFhir"],
  ["null", "notFhir"],
  ['{"name": "x"}', "notFhir"],
  ['{"resourceType": "Patient"}', "notBundle"],
  ['{"resourceType": "Bundle"}', null],
])("of JSON only a bundle can be stored: %s", (json, fault) => {
  expect(bundleFault(json)).toBe(fault);
});

test("entries are counted by kind, and what no table knows apart", () => {
  const entry = (members: Partial<Schemas["EntryLabelsView"]>): Schemas["EntryLabelsView"] => ({
    entry: 0,
    full_url: null,
    resource_type: "Observation",
    categories: ["laboratory"],
    sensitivities: [],
    confidentiality: "N",
    known: true,
    why: [],
    ...members,
  });
  const view = {
    entries: [
      entry({ categories: ["demographics"] }),
      entry({}),
      entry({ sensitivities: ["HIV", "STD"] }),
      entry({ known: false, sensitivities: ["UNLABELLED"] }),
    ],
  } as Schemas["LabelsView"];
  expect(filingOf(view)).toEqual({
    entries: 4,
    unknown: 1,
    categories: [
      ["laboratory", 3],
      ["demographics", 1],
    ],
    sensitivities: [
      ["HIV", 1],
      ["STD", 1],
    ],
  });
});

test("the digest of a file is its SHA-256", async () => {
  expect(await digestOf(new Blob(["a", "bc"]))).toBe(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});
