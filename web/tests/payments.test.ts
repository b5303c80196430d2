import { describe, expect, test } from "vitest";
import { asAmount, byStudy, collectable, namedAccount, type Payment } from "../src/patient/payments/money";
import { OtherText, requirePayeeText, type Wish } from "../src/patient/payments/payeeText";
import { readUnit } from "../src/patient/payments/unit";

const EURO = { symbol: "EURe", decimals: 2 };

function share(members: Partial<Payment>): Payment {
  return {
    study: "0x01",
    title: "Age and sex",
    result: "0x02",
    earned_at: "2026-11-26T10:00:00Z",
    standing: "unnamed",
    payee: null,
    amount: null,
    round: null,
    opens_at: null,
    closes_at: null,
    ...members,
  };
}

describe("an amount", () => {
  test.each([
    [250n, EURO, "2.50 EURe"],
    [5n, EURO, "0.05 EURe"],
    [123456700n, EURO, "1,234,567.00 EURe"],
    [1_500_000n, { symbol: "USDC", decimals: 6 }, "1.5 USDC"],
    [2_000_000n, { symbol: "USDC", decimals: 6 }, "2 USDC"],
    [7n, { symbol: "POINT", decimals: 0 }, "7 POINT"],
    [2n ** 128n - 1n, null, "340,282,366,920,938,463,463,374,607,431,768,211,455 units"],
  ])("%s is written out to the last digit", (amount, unit, words) => {
    expect(asAmount(amount, unit)).toBe(words);
  });
});

describe("what a token says of itself", () => {
  const word = (value: number): string => value.toString(16).padStart(64, "0");
  const symbol = (text: string): string =>
    `0x${word(32)}${word(text.length)}${Buffer.from(text).toString("hex").padEnd(64, "0")}`;

  test("is its name and how it is divided", () => {
    expect(readUnit(`0x${word(2)}`, symbol("TEST"))).toEqual({ symbol: "TEST", decimals: 2 });
  });

  test.each([
    [undefined, symbol("TEST")],
    [`0x${word(200)}`, symbol("TEST")],
    ["0x", symbol("TEST")],
    [`0x${word(2)}`, "0x"],
    [`0x${word(2)}`, symbol("")],
    [`0x${word(2)}`, `0x${word(32)}${word(2 ** 30)}`],
  ])("is nothing where it cannot be read", (decimals, name) => {
    expect(readUnit(decimals, name)).toBeNull();
  });
});

test("uses and shares of a study stand together, the study that used something last first", () => {
  const studies = byStudy(
    [
      { study_id: "0x01", title: "Age and sex", used_at: 10 },
      { study_id: "0x0a", title: "Another", used_at: 2e9 },
      { study_id: "0x01", title: "Age and sex", used_at: 20 },
    ],
    [share({}), share({ study: "0x0b", title: "Repeated", earned_at: "2020-01-01T00:00:00Z" })],
  );
  expect(studies.map((study) => [study.title, study.usedAt, study.shares.length])).toEqual([
    ["Another", [2e9], 0],
    ["Age and sex", [20, 10], 1],
    ["Repeated", [], 1],
  ]);
});

test("only what may be collected now is summed, and only an account that waits is named", () => {
  const shares = [
    share({ standing: "claimable", amount: "250", payee: "0xaa" }),
    share({ standing: "claimable", amount: "1" }),
    share({ standing: "claimed", amount: "9" }),
    share({ standing: "proposed", amount: "9" }),
  ];
  expect(collectable(shares)).toBe(251n);
  expect(namedAccount(shares)).toBeNull();
  expect(namedAccount([...shares, share({ standing: "named", payee: "0xbb" })])).toBe("0xbb");
});

describe("the text that names a payee", () => {
  const wish: Wish = {
    subject: `0x${"1".repeat(24)}`,
    study: `0x${"2".repeat(64)}`,
    account: `0x${"ab".repeat(20)}`,
    kind: "own",
  };
  const text = (members: Partial<Record<"account" | "kind" | "end", string>> = {}): string =>
    [
      `Pay me for a study at this account: ${members.account ?? `0x${"aB".repeat(20)}`}`,
      `It is ${members.kind ?? "an account of mine, made for this study"}.`,
      "",
      `Study: ${wish.study}`,
      `Patient: ${wish.subject}`,
      "Choice: 3",
      "Chain: 1337",
      `Contract: 0x${"c".repeat(40)}`,
      "",
      `This gives no consent.${members.end ?? ""}`,
    ].join("\n");

  test("is signed when it says what was chosen", () => {
    expect(() => requirePayeeText(text(), wish, 3)).not.toThrow();
  });

  test.each([
    [text({ account: `0x${"cd".repeat(20)}` }), 3],
    [text({ kind: "somebody else's account" }), 3],
    [text({ end: "\nIt gives everything." }), 3],
    [text().replace("Chain: 1337", "Chain: 1337, and pay 0xdead"), 3],
    [text(), 4],
    ["", 3],
  ])("is not signed when it says something else", (other, number) => {
    expect(() => requirePayeeText(other, wish, number)).toThrow(OtherText);
  });
});
