import { expect, test } from "vitest";
import type { Consent } from "../src/api/queries";
import { chainOf } from "../src/patient/chain";

const MOTHER = "0x00000000000000000000000000000000000000AA";
const AUNT = "0x00000000000000000000000000000000000000bb";

function power(id: string, delegate: string, more: Partial<Consent> = {}, parent = "0x0"): Consent {
  return {
    consent_id: id,
    kind: "guardianship",
    state: "live",
    message: { delegate, parent, id },
    ...more,
  } as Consent;
}

test("who holds a power directly signs with that delegation alone", () => {
  const chain = chainOf([power("0x1", MOTHER), power("0x2", AUNT)], MOTHER.toLowerCase());
  expect(chain.map((one) => one.id)).toEqual(["0x1"]);
});

test("a power that was passed on comes with those above it, own one first", () => {
  const passed = power("0x2", AUNT, { kind: "delegation" }, "0x1");
  expect(chainOf([power("0x1", MOTHER), passed], AUNT).map((one) => one.id)).toEqual(["0x2", "0x1"]);
});

test("a power that has ended, or is somebody else's, is none", () => {
  expect(chainOf([power("0x1", MOTHER, { state: "revoked" })], MOTHER)).toEqual([]);
  expect(chainOf([power("0x1", MOTHER, { kind: "permit" })], MOTHER)).toEqual([]);
  expect(chainOf([power("0x1", MOTHER)], AUNT)).toEqual([]);
});
