import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { texts } from "../src/texts";

const published = readFileSync("../docs/errors.md", "utf8");

test.each(Object.keys(texts.problems.codes))("%s is a code that the service has", (code) => {
  expect(published).toContain(`id="${code}"`);
});
