import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { api, body, type Schemas } from "../../api/client";
import type { Payment, Unit } from "./money";
import { unitOf } from "./unit";

const SLOW_MS = 15_000;

export function usePayments(subject: string): UseQueryResult<Payment[]> {
  return useQuery({
    queryKey: ["payments", subject],
    queryFn: () => body(api.GET("/v1/payments", { params: { query: { subject } } })),
    refetchInterval: SLOW_MS,
  });
}

export type Terms = Schemas["TermsView"];

/** What a hospital pays studies' patients in. */
export function useTerms(): UseQueryResult<Terms> {
  return useQuery({
    queryKey: ["money"],
    queryFn: () => body(api.GET("/v1/escrows/terms")),
    staleTime: Infinity,
  });
}

export function useUnit(): Unit | null {
  const token = useTerms().data?.token;
  const unit = useQuery({
    queryKey: ["unit", token],
    enabled: token !== undefined,
    queryFn: () => unitOf(token ?? ""),
    staleTime: Infinity,
  });
  return unit.data ?? null;
}
