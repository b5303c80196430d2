import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hashMessage, hashTypedData, recoverAddress, recoverMessageAddress, stringToHex } from "viem/utils";
import type { Hex } from "viem";
import { texts } from "../src/texts";
import { accountOf, signatureOf } from "../src/wallet/passkey/accountKey";
import { OtherSite, PasskeyError } from "../src/wallet/passkey/errors";
import { boundText, seal, unseal, type Bytes } from "../src/wallet/passkey/sealing";
import { requireSite } from "../src/wallet/passkey/signInText";
import { hindrance } from "../src/wallet/passkey/support";
import { inWords } from "../src/wallet/passkey/words";
import type { TypedData } from "../src/wallet/types";

const vectors = JSON.parse(readFileSync("../vectors/typed_data.json", "utf8")) as {
  cases: { name: string; typedData: TypedData }[];
};
const KEY = new Uint8Array(32).fill(1);
const SECRET = new Uint8Array(32).fill(2);
const BOUND = { rpId: "assent.example", account: "0x00000000000000000000000000000000000000AA" };
const copy = (bytes: Bytes): Bytes => new Uint8Array(bytes);

test("what is sealed opens with the same secret, whatever the spelling of the account", async () => {
  const sealed = await seal(KEY, SECRET, BOUND);
  expect(await unseal(sealed, SECRET, { ...BOUND, account: BOUND.account.toLowerCase() })).toEqual(KEY);
});

test("a seal holds the key encrypted, and no two seals are alike", async () => {
  const [one, other] = [await seal(KEY, SECRET, BOUND), await seal(KEY, SECRET, BOUND)];
  expect(one.content.length).toBe(KEY.length + 16); // the tag of AES-GCM
  expect(one.content.slice(0, 32)).not.toEqual(KEY);
  expect(one.salt).not.toEqual(other.salt);
  expect(one.nonce).not.toEqual(other.nonce);
  expect(one.content).not.toEqual(other.content);
});

test("a seal opens with no other secret, site or account, and not when it was changed", async () => {
  const sealed = await seal(KEY, SECRET, BOUND);
  const changed = copy(sealed.content);
  changed[0] = (changed[0] ?? 0) ^ 1;
  await expect(unseal(sealed, new Uint8Array(32), BOUND)).rejects.toThrow();
  await expect(unseal(sealed, SECRET, { ...BOUND, rpId: "other.example" })).rejects.toThrow();
  await expect(unseal(sealed, SECRET, { ...BOUND, account: "0xbb" })).rejects.toThrow();
  await expect(unseal({ ...sealed, content: changed }, SECRET, BOUND)).rejects.toThrow();
  await expect(unseal({ ...sealed, salt: new Uint8Array(32) }, SECRET, BOUND)).rejects.toThrow();
});

test("the text that binds a seal has one form", () => {
  expect(boundText(BOUND)).toBe(
    "assent passkey account\n1\nassent.example\n0x00000000000000000000000000000000000000aa",
  );
});

test("signatures are by the account of the key, over text and typed data", async () => {
  const account = accountOf(KEY);
  const message = stringToHex("Sign in, ä");
  const text = signatureOf(hashMessage({ raw: message }), KEY);
  expect(await recoverMessageAddress({ message: { raw: message }, signature: text })).toBe(account);
  for (const { typedData } of vectors.cases) {
    const hash = hashTypedData(typedData as never);
    expect(await recoverAddress({ hash, signature: signatureOf(hash, KEY) })).toBe(account);
  }
});

test("a signature has 65 bytes and a low s, as the ledger takes it", () => {
  for (let round = 0; round < 64; round++) {
    const hash: Hex = `0x${round.toString(16).padStart(64, "0")}`;
    const signature = signatureOf(hash, KEY);
    expect(signature).toMatch(/^0x[0-9a-f]{128}1[bc]$/);
    expect(Number.parseInt(signature.slice(66, 68), 16)).toBeLessThan(0x80);
  }
});

test.each(vectors.cases.map((one) => [one.name, one.typedData] as const))(
  "of %s every member is shown",
  (_, typed) => {
    const { title, summary, members } = inWords(typed);
    expect(title).not.toBe("");
    const shown = [...members.map(([, value]) => value), summary ?? ""];
    for (const leaf of leavesOf(typed.message)) {
      expect(shown).toContain(leaf);
    }
    expect(members).toContainEqual([
      "domain.verifyingContract",
      (typed.domain as { verifyingContract: string }).verifyingContract,
    ]);
  },
);

test("a decision is shown in the words that are signed", () => {
  const grant = vectors.cases.find((one) => one.typedData.primaryType === "Grant")?.typedData;
  const terms = grant?.message.terms as { summary: string };
  expect(inWords(grant as TypedData)).toMatchObject({
    title: texts.passkeys.confirm.titles.Grant,
    summary: terms.summary,
  });
});

function leavesOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null) {
    return [String(value)];
  }
  return Object.values(value).flatMap(leavesOf);
}

const PLACE = { hostname: "assent.example", isSecure: true, hasPasskeys: true, prf: null };

test.each([
  [PLACE, null],
  [{ ...PLACE, hostname: "localhost" }, null],
  [{ ...PLACE, hostname: "127.0.0.1" }, "address"],
  [{ ...PLACE, hostname: "[::1]" }, "address"],
  [{ ...PLACE, isSecure: false }, "place"],
  [{ ...PLACE, hasPasskeys: false }, "none"],
  [{ ...PLACE, prf: false }, "noPrf"],
] as const)("a passkey at %o: %s", (place, reason) => {
  expect(hindrance(place)).toBe(reason);
});

const ACCOUNT = "0x00000000000000000000000000000000000000AA";
const PAGE = { host: "assent.example", origin: "https://assent.example" };
const signIn = (domain: string, uri: string): string =>
  `https://${domain} wants you to sign in with your Ethereum account:\n${ACCOUNT}\n\nSign in.\n\nURI: ${uri}\n` +
  "Version: 1\nChain ID: 1\nNonce: abcdefgh1\nIssued At: 2026-01-01T00:00:00Z";

test("text is signed only where it signs this account in at this address", () => {
  const good = signIn("assent.example", "https://assent.example");
  expect(() => requireSite(good, ACCOUNT.toLowerCase(), PAGE)).not.toThrow();
  expect(() => requireSite(good, "0xbb", PAGE)).toThrow(PasskeyError);
  expect(() => requireSite("I give everything away", ACCOUNT, PAGE)).toThrow(PasskeyError);
  expect(() => requireSite(signIn("evil.example", "https://assent.example"), ACCOUNT, PAGE)).toThrow(
    OtherSite,
  );
  expect(() => requireSite(signIn("assent.example", "https://evil.example"), ACCOUNT, PAGE)).toThrow(
    OtherSite,
  );
});
