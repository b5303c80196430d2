import { expect, test } from "vitest";
import { base64url, matched, OpenIdError, returnedWith } from "../src/session/openidAnswer";

const PENDING = { state: "s", verifier: "v", back: "/patients" };

test("what this tab asked for is taken", () => {
  const returned = returnedWith("?code=c%2F1&state=s&iss=https%3A%2F%2Fsso.example&session_state=x");
  expect(returned.iss).toBe("https://sso.example");
  expect(matched(returned, PENDING)).toEqual({ code: "c/1", pending: PENDING });
});

test.each([
  ["?code=c&state=other", PENDING],
  ["?code=c", PENDING],
  ["?code=c&state=s", null],
  ["?error=access_denied", PENDING],
  ["", PENDING],
])("what this tab did not ask for is refused: %s", (search, pending) => {
  expect(() => matched(returnedWith(search), pending)).toThrow(
    expect.objectContaining({ kind: "notBegun" }) as Error,
  );
});

test.each([
  ["access_denied", "declined"],
  ["login_required", "declined"],
  ["temporarily_unavailable", "away"],
  ["server_error", "away"],
  ["invalid_scope", "refused"],
  ["<script>", "refused"],
])("the provider's error %s is told in our words", (error, kind) => {
  const returned = returnedWith(`?${new URLSearchParams({ error, state: "s" }).toString()}`);
  expect(() => matched(returned, PENDING)).toThrow(expect.objectContaining({ kind }) as Error);
});

test("a return without code or error is refused", () => {
  expect(() => matched(returnedWith("?state=s"), PENDING)).toThrow(OpenIdError);
});

test("secrets and digests are written as RFC 7636 wants them", () => {
  expect(base64url(new Uint8Array([251, 255, 190]))).toBe("-_--");
  expect(base64url(new Uint8Array(32)).length).toBe(43);
});
