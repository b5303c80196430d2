/**
 * Brings a wallet to our chain. Wallets refuse typed data for a chain that is not active, and may never answer
 * for one they do not know, so this comes before every signature (EIP-3326, EIP-3085).
 */
import { texts } from "../texts";
import { codeOf, walletError, WalletError } from "./errors";
import type { Eip1193 } from "./types";

const UNKNOWN_CHAIN = 4902;
const INTERNAL = -32603; // some wallets say so of a chain they do not know

export async function ensureChain(provider: Eip1193, chainId: number): Promise<void> {
  const wanted = `0x${chainId.toString(16)}`;
  if (await isOn(provider, chainId)) {
    return;
  }
  try {
    await provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId: wanted }] });
  } catch (failure) {
    const code = codeOf(failure);
    if (code !== UNKNOWN_CHAIN && code !== INTERNAL) {
      throw walletError(failure);
    }
    await add(provider, wanted);
  }
  if (!(await isOn(provider, chainId))) {
    throw new WalletError("otherChain");
  }
}

async function add(provider: Eip1193, chainId: string): Promise<void> {
  const chain = {
    chainId,
    chainName: texts.wallet.chainName,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: [`${location.origin}/rpc`],
  };
  try {
    await provider.request({ method: "wallet_addEthereumChain", params: [chain] });
    await provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId }] });
  } catch (failure) {
    throw walletError(failure);
  }
}

async function isOn(provider: Eip1193, chainId: number): Promise<boolean> {
  try {
    const answer = await provider.request({ method: "eth_chainId" });
    return typeof answer === "string" && Number(answer) === chainId;
  } catch (failure) {
    throw walletError(failure);
  }
}
