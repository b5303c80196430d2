import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { lookAt } from "../src/operator/failures";
import { CLIENT_ROLES, MEMBER_ROLES, roleWords, STAFF_ROLES } from "../src/operator/roles";
import { drawPassword } from "../src/operator/secrets";
import { texts } from "../src/texts";

test("a password is drawn evenly from letters that nobody mistakes for another", () => {
  const drawn = drawPassword((bytes) => bytes.map((_, place) => [0, 247, 248, 255, 30][place % 5] ?? 0));
  expect(drawn).toMatch(/^([abcdefghjkmnpqrstuvwxyz2-9]{4}-){4}[abcdefghjkmnpqrstuvwxyz2-9]{4}$/);
  expect(drawn.replaceAll("-", "")).toBe("a99".repeat(7).slice(0, 20)); // 248 and more would favour the first
  expect(new Set(Array.from({ length: 100 }, () => drawPassword())).size).toBe(100);
});

test("a failed delivery says what to look at, and an unknown word nothing", () => {
  expect(lookAt("status_503")).toBe(texts.operator.messages.look.status);
  expect(lookAt("tls")).toBe(texts.operator.messages.look.tls);
  expect(lookAt("something new")).toBeNull();
});

test("every failure of webhooks that the manual names is explained", () => {
  const manual = readFileSync("../docs/operations.md", "utf8");
  const [, rest = ""] = manual.split("\n## Webhooks\n");
  const [section = ""] = rest.split("\n## ");
  const words = [...section.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([a-z_.]+)`/g)].map(([, word = ""]) => word.replace("...", "503")),
  );
  expect(words.length).toBeGreaterThan(5);
  expect(words.filter((word) => lookAt(word) === null)).toEqual([]);
});

test("every role that can be given has words", () => {
  for (const role of [...MEMBER_ROLES, ...STAFF_ROLES, ...CLIENT_ROLES]) {
    expect(texts.operator.roles).toHaveProperty(role);
  }
  expect(roleWords(["provider", "researcher"])).toBe("provider and researcher");
});
