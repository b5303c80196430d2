/** What a browser wallet offers (EIP-1193), and the announcement it makes (EIP-6963). */

export interface Eip1193 {
  request(call: { method: string; params?: unknown }): Promise<unknown>;
  on?(event: string, listener: (value: unknown) => void): void;
  removeListener?(event: string, listener: (value: unknown) => void): void;
}

export interface WalletInfo {
  uuid: string;
  name: string;
  icon: string;
  rdns: string;
}

export interface Wallet {
  info: WalletInfo;
  provider: Eip1193;
}

/** Typed data as the service drafts it (EIP-712, for eth_signTypedData_v4). */
export interface TypedData {
  domain: { chainId?: number | string; [name: string]: unknown };
  types: Record<string, { name: string; type: string }[]>;
  primaryType: string;
  message: Record<string, unknown>;
}
