/** Passkey accounts with the face of a wallet (EIP-1193), so that whatever signs needs not know the difference. */
import { texts } from "../../texts";
import type { Eip1193, TypedData, Wallet } from "../types";
import { makeAccount, signMessage, signTypedData } from "./accountKey";
import { confirmed, type ToConfirm } from "./asking";
import { PasskeyError } from "./errors";
import { requireSite, textOf } from "./signInText";
import { storedAccounts } from "./store";
import { PASSKEY } from "./support";

export { makeAccount, requireSite };

/** The wallet of this device's passkeys; with `first`, that account is the one it gives first. */
export function passkeyWallet(first?: string): Wallet {
  return {
    info: { uuid: PASSKEY, name: texts.passkeys.name, icon: "", rdns: PASSKEY },
    provider: provider(first),
  };
}

function provider(first: string | undefined): Eip1193 {
  let chainId = "0x0"; // an account is of every chain: it is on the one it was asked to be on
  return {
    request: async ({ method, params }) => {
      const given = Array.isArray(params) ? (params as unknown[]) : [];
      switch (method) {
        case "eth_accounts":
        case "eth_requestAccounts":
          return accounts(first);
        case "eth_chainId":
          return chainId;
        case "wallet_switchEthereumChain":
          chainId = (given[0] as { chainId: string }).chainId;
          return null;
        case "personal_sign":
          return signText(given[0] as `0x${string}`, given[1] as string);
        case "eth_signTypedData_v4":
          return signTyped(given[0] as string, JSON.parse(given[1] as string) as TypedData);
        default:
          throw Object.assign(new Error(method), { code: 4200 }); // EIP-1193: not supported
      }
    },
  };
}

async function accounts(first: string | undefined): Promise<string[]> {
  const found = (await storedAccounts()).map((one) => one.account);
  return first === undefined ? found : [first, ...found.filter((one) => one !== first)];
}

async function signText(message: `0x${string}`, account: string): Promise<string> {
  const text = textOf(message);
  requireSite(text, account, location);
  await agreed({ kind: "text", text });
  return signMessage(account, message);
}

async function signTyped(account: string, typed: TypedData): Promise<string> {
  await agreed({ kind: "typed", typed });
  return signTypedData(account, typed);
}

async function agreed(asked: ToConfirm): Promise<void> {
  if (!(await confirmed(asked))) {
    throw new PasskeyError("notSigned");
  }
}
