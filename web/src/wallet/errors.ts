/** What can go wrong with a wallet, each with what to do next. */
import { texts } from "../texts";

/** An error in words: `message` says what happened, `next` what to do. */
export class ToldError extends Error {
  override readonly name: string = "ToldError";
  readonly next: string;

  constructor({ what, next }: { what: string; next: string }) {
    super(what);
    this.next = next;
  }
}

export class WalletError extends ToldError {
  override readonly name = "WalletError";

  constructor(readonly kind: keyof typeof texts.wallet.errors) {
    super(texts.wallet.errors[kind]);
  }
}

const KINDS: Record<number, keyof typeof texts.wallet.errors> = {
  4001: "declined", // EIP-1193
  4100: "locked",
  4900: "disconnected",
  4901: "disconnected",
  [-32002]: "busy", // a question of ours is open in the wallet already
};

export function codeOf(failure: unknown): number | null {
  const code = typeof failure === "object" && failure !== null && "code" in failure ? failure.code : null;
  return typeof code === "number" ? code : null;
}

export function walletError(failure: unknown): ToldError {
  if (failure instanceof ToldError) {
    return failure;
  }
  return new WalletError(KINDS[codeOf(failure) ?? 0] ?? "failed");
}
