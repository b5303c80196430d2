import { describe, expect, test } from "vitest";
import { asBytes } from "../src/format/size";
import { asCount, asList, dateOf, endOfDay, shortId } from "../src/format/time";

describe("a day that is chosen", () => {
  test.each(["2027-03-28", "2027-10-31", "2028-02-29", "2026-12-31"])(
    "%s lasts until its last second",
    (day) => {
      const end = endOfDay(day);
      expect(dateOf(end)).toBe(day);
      expect(dateOf(new Date(Date.parse(end) + 1000).toISOString())).not.toBe(day);
    },
  );
});

test("counts, lists and ids are written as people read them", () => {
  expect(asCount(10_000)).toBe("10,000");
  expect(asList(["laboratory results", "medicines", "visits"])).toBe(
    "laboratory results, medicines, and visits",
  );
  expect(asList([])).toBe("");
  expect(shortId(`0x${"ab".repeat(32)}`)).toBe("0xabababab…abababab");
  expect(shortId("0x1234")).toBe("0x1234");
});

test.each([
  [0, "0 bytes"],
  [51, "51 bytes"],
  [1_250, "1.3 kB"],
  [240_000, "240 kB"],
  [2_147_483_648, "2.1 GB"],
])("%d bytes are written as %s", (bytes, words) => {
  expect(asBytes(bytes)).toBe(words);
});
