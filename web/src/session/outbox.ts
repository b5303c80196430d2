/**
 * What was signed and not yet taken. It is kept in the tab until the service answers, so that a lost network
 * costs no second signature. Sending twice is harmless: the id of what is signed is its hash.
 */
import { problemOf } from "../api/client";
import { Unreachable } from "../api/problem";

const KEY = "assent.unsent";

export type SignedPath =
  | "/v1/consents"
  | "/v1/revocations"
  | "/v1/enrolments/claims"
  | "/v1/delegations"
  | `/v1/recovery/${"policies" | "agreements" | "acceptances" | "vetoes"}`;

export interface Signed {
  path: SignedPath;
  body: Record<string, unknown>;
}

/** Send, keeping it until there is an answer. Raises Problem or Unreachable. */
export async function deliver(signed: Signed): Promise<unknown> {
  sessionStorage.setItem(KEY, JSON.stringify(signed));
  let response: Response;
  try {
    // Without a token: the signature is the authority, and a stop must not need a session.
    response = await fetch(signed.path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(signed.body),
      signal: AbortSignal.timeout(60_000),
    });
  } catch {
    throw new Unreachable();
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) {
    discard();
    return answer;
  }
  const problem = problemOf(response, answer);
  if (!problem.isOutage) {
    discard();
  }
  throw problem;
}

export function unsent(): Signed | null {
  try {
    const text = sessionStorage.getItem(KEY);
    return text === null ? null : (JSON.parse(text) as Signed);
  } catch {
    return null;
  }
}

export function discard(): void {
  sessionStorage.removeItem(KEY);
}
