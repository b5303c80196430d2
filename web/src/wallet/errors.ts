/** What can go wrong with a wallet, each with what to do next. */
import { texts } from "../texts";

export class WalletError extends Error {
  override readonly name = "WalletError";
  readonly next: string;

  constructor(readonly kind: keyof typeof texts.wallet.errors) {
    super(texts.wallet.errors[kind].what);
    this.next = texts.wallet.errors[kind].next;
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

export function walletError(failure: unknown): WalletError {
  if (failure instanceof WalletError) {
    return failure;
  }
  return new WalletError(KINDS[codeOf(failure) ?? 0] ?? "failed");
}
