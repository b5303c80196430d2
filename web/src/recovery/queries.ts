/** What is known of a recovery, looked at often: others act on it. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { api, body, type Schemas } from "../api/client";
import { queries } from "../api/queries";

export type Recovery = Schemas["RecoveryView"];
export type Guarded = Schemas["GuardedView"];
export type Claim = Schemas["RecoveryClaim"];

const OFTEN_MS = 3_000;
const SLOW_MS = 15_000;

export function useRecovery(subject: string, enabled = true): UseQueryResult<Recovery> {
  return useQuery({
    queryKey: ["recovery", subject],
    queryFn: () => body(api.GET("/v1/recovery", { params: { query: { subject } } })),
    refetchInterval: SLOW_MS,
    enabled,
  });
}

export function useGuarded(): UseQueryResult<Guarded[]> {
  return useQuery({
    queryKey: ["recovery", "guarded"],
    queryFn: () => body(api.GET("/v1/recovery/guarded")),
    refetchInterval: SLOW_MS,
  });
}

export function useClaims(account: string): UseQueryResult<Claim[]> {
  return useQuery({
    queryKey: ["recovery", "claims", account],
    queryFn: () => body(api.GET("/v1/recovery/claims")),
    refetchInterval: OFTEN_MS,
  });
}

export function lookAgain(): Promise<void> {
  return queries.invalidateQueries({ queryKey: ["recovery"] });
}
