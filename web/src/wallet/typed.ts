/** Checks that what a wallet is asked to sign is what the page shows. */
import { hashStruct } from "viem/utils";
import type { TypedData } from "./types";

/** The EIP-712 struct hash of the message: of a consent its id, under which the chain keeps it. */
export function idOf({ primaryType, types, message }: Omit<TypedData, "domain">): string {
  return hashStruct({ data: message, primaryType, types });
}

/** Raised before the wallet is asked: the service drafted something else than it showed. */
export class OtherDraft extends Error {
  override readonly name = "OtherDraft";
}

/** Hold the typed data of a grant, a delegate's too, against the id and the words that go with it. */
export function requireDraft(typed: TypedData, draft: { consent_id: string; summary: string }): void {
  const grant = grantIn(typed);
  const terms = grant?.terms as { summary?: unknown } | undefined;
  if (
    grant === null ||
    terms?.summary !== draft.summary ||
    idOf({ types: typed.types, primaryType: "Grant", message: grant }) !== draft.consent_id
  ) {
    throw new OtherDraft();
  }
}

function grantIn({ primaryType, message }: TypedData): Record<string, unknown> | null {
  switch (primaryType) {
    case "Grant":
      return message;
    case "DelegatedGrant":
      return message.grant as Record<string, unknown>;
    default:
      return null;
  }
}
