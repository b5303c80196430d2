/** Reads of the ledger's node through the service's route for wallets. */
import { Unreachable } from "./problem";

/** The node's answer; undefined where it refused. Raises Unreachable. */
export async function askNode(method: string, params: unknown[]): Promise<unknown> {
  const response = await fetch("/rpc", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  }).catch(() => null);
  if (response === null || !response.ok) {
    throw new Unreachable();
  }
  return ((await response.json()) as { result?: unknown }).result;
}
