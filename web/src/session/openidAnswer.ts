/** What an identity provider sends the browser back with, and whether this tab asked for it. */
import { texts } from "../texts";
import { ToldError } from "../wallet/errors";

export interface Pending {
  state: string;
  verifier: string;
  /** Where in the pages the person was. */
  back: string;
}

export interface Returned {
  code: string | null;
  state: string | null;
  error: string | null;
  iss: string | null;
}

export class OpenIdError extends ToldError {
  override readonly name = "OpenIdError";

  constructor(readonly kind: keyof typeof texts.openid.errors) {
    super(texts.openid.errors[kind]);
  }
}

/** Errors of RFC 6749, 4.1.2.1 and OpenID Connect Core, 3.1.2.6. What else a provider says is not shown. */
const KINDS: Record<string, keyof typeof texts.openid.errors> = {
  access_denied: "declined",
  login_required: "declined",
  interaction_required: "declined",
  consent_required: "declined",
  account_selection_required: "declined",
  temporarily_unavailable: "away",
  server_error: "away",
};

export function returnedWith(search: string): Returned {
  const found = new URLSearchParams(search);
  return {
    code: found.get("code"),
    state: found.get("state"),
    error: found.get("error"),
    iss: found.get("iss"),
  };
}

/** What to send, and where to go on. Raises OpenIdError for what this tab did not ask for. */
export function matched(
  { code, state, error }: Returned,
  pending: Pending | null,
): { code: string; pending: Pending } {
  if (pending === null || state === null || state !== pending.state) {
    throw new OpenIdError("notBegun");
  }
  if (error !== null || code === null) {
    throw new OpenIdError(KINDS[error ?? ""] ?? "refused");
  }
  return { code, pending };
}

export function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
