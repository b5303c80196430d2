/**
 * Signing in at an identity provider: authorization code with PKCE. The secret stays in this tab until the
 * browser comes back with a code; the service exchanges the code, so no request of ours leaves the origin.
 */
import { body, openApi } from "../api/client";
import { base64url, matched, type Pending, type Returned } from "./openidAnswer";
import { signedIn } from "./tokens";

const KEY = "assent.openid";
const SECRET_BYTES = 32;

/** Go to the provider; the page is left. */
export async function goThere(back: string): Promise<void> {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const begun = await body(
    openApi.POST("/v1/auth/openid/begin", { body: { code_challenge: base64url(new Uint8Array(digest)) } }),
  );
  const pending: Pending = { state: begun.state, verifier, back };
  sessionStorage.setItem(KEY, JSON.stringify(pending));
  location.assign(begun.address);
}

/** Sign in with what the browser came back with; return where the person was. What is pending is used up. */
export async function finish(returned: Returned): Promise<string> {
  const found = take();
  const { code, pending } = matched(returned, found);
  const { username, ...tokens } = await body(
    openApi.POST("/v1/auth/openid/finish", {
      body: { code, state: pending.state, code_verifier: pending.verifier, iss: returned.iss },
    }),
  );
  signedIn({ kind: "staff", username, provider: true }, tokens);
  return pending.back;
}

/** Sign out at the provider too: on a shared computer the next person would else be the last one. */
export async function leaveProvider(): Promise<void> {
  const { address } = await body(openApi.GET("/v1/auth/openid/sign-out"));
  if (address !== null) {
    location.assign(address);
  }
}

function take(): Pending | null {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return text === null ? null : (JSON.parse(text) as Pending);
  } catch {
    return null;
  }
}
