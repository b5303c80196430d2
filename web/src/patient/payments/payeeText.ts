/** Checks that the text a wallet is asked to sign says what was chosen on the page, and nothing else. */
import type { Schemas } from "../../api/client";
import { texts } from "../../texts";

export type Wish = Required<Schemas["PayeeWish"]>;

/** Raised before the wallet is asked: the service drafted something else than was chosen. */
export class OtherText extends Error {
  override readonly name = "OtherText";
  readonly next = texts.payments.naming.otherText.next;

  constructor() {
    super(texts.payments.naming.otherText.what);
  }
}

// The service's words, which stand in what is signed and are in no language but this one.
const KINDS: Record<Wish["kind"], string> = {
  own: "an account of mine, made for this study",
  other: "somebody else's account",
  donation: "a donation",
};

export function requirePayeeText(text: string, wish: Wish, number: number): void {
  const lines = [
    `Pay me for a study at this account: ${wish.account}`,
    `It is ${KINDS[wish.kind]}.`,
    "",
    `Study: ${wish.study}`,
    `Patient: ${wish.subject}`,
    `Choice: ${number}`,
    null, // the chain and
    null, // the contract, which the service knows better
    "",
    "This gives no consent.",
  ];
  const found = text.split("\n");
  const holds =
    found.length === lines.length &&
    lines.every((line, at) => line === null || line.toLowerCase() === found[at]?.toLowerCase()) &&
    /^Chain: \d+$/.test(found[6] ?? "") &&
    /^Contract: 0x[0-9a-fA-F]{40}$/.test(found[7] ?? "");
  if (!holds) {
    throw new OtherText();
  }
}
