/** Signs a wallet in (EIP-4361). */
import { body, openApi } from "../api/client";
import { connect, signText } from "../wallet/signing";
import type { Wallet } from "../wallet/types";
import { signedIn } from "./tokens";

export async function challengeFor(account: string): Promise<string> {
  return (await body(openApi.POST("/v1/auth/wallet/challenge", { body: { account } }))).message;
}

export async function signIn({ info, provider }: Wallet): Promise<void> {
  const account = await connect(provider);
  const message = await challengeFor(account);
  const signature = await signText(provider, account, message);
  const tokens = await body(openApi.POST("/v1/auth/wallet", { body: { message, signature } }));
  signedIn({ kind: "wallet", account, rdns: info.rdns }, tokens);
}
