/** What can go wrong with an account that a passkey holds, each with what to do next. */
import { texts } from "../../texts";
import { ToldError } from "../errors";

export type Failing = keyof typeof texts.passkeys.errors;

export class PasskeyError extends ToldError {
  override readonly name = "PasskeyError";

  constructor(readonly kind: Failing) {
    super(texts.passkeys.errors[kind]);
  }
}

/** This page is not at the address that the service knows as its own. */
export class OtherSite extends ToldError {
  override readonly name = "OtherSite";

  constructor(readonly site: string) {
    super(texts.passkeys.otherSite(site));
  }
}

const KINDS: Record<string, Failing> = {
  NotAllowedError: "declined", // refused, gave up, or no such passkey: browsers do not tell which
  AbortError: "declined",
  InvalidStateError: "declined",
  SecurityError: "place",
  NotSupportedError: "noPrf",
  ConstraintError: "noVerification",
};

/** What a browser says about a passkey, in words. */
export function passkeyError(failure: unknown): ToldError {
  if (failure instanceof ToldError) {
    return failure;
  }
  return new PasskeyError(failure instanceof DOMException ? (KINDS[failure.name] ?? "failed") : "failed");
}
