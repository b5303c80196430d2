import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { api, body, openApi, type Schemas } from "../api/client";

const SLOW_MS = 15_000;

export type Operations = Schemas["OperationsView"];
export type Alarm = Schemas["AlarmView"];
export type Member = Schemas["MemberView"];
export type User = Schemas["UserView"];
export type Client = Schemas["ClientView"];
export type Delivery = Schemas["DeliveryView"];

export function useOperations(): UseQueryResult<Operations> {
  return useQuery({
    queryKey: ["operations"],
    queryFn: () => body(api.GET("/v1/operations")),
    staleTime: 0,
    refetchInterval: SLOW_MS,
  });
}

/** What the health check says, which needs no sign-in and so no part that may be away. */
export function useReady(enabled: boolean): UseQueryResult<Schemas["Ready"]> {
  return useQuery({
    queryKey: ["ready"],
    enabled,
    queryFn: async () => {
      const { data, error } = await openApi.GET("/health/ready");
      const found: unknown = data ?? error; // of a part that is away it tells with 503
      if (typeof found !== "object" || found === null || !("parts" in found)) {
        throw new Error("no health check");
      }
      return found as Schemas["Ready"];
    },
    staleTime: 0,
    refetchInterval: SLOW_MS,
    retry: false,
  });
}

export function useBackup(enabled: boolean): UseQueryResult<Schemas["BackupView"]> {
  return useQuery({
    queryKey: ["backup"],
    enabled,
    queryFn: () => body(api.GET("/v1/backups")),
    refetchInterval: ({ state }) => (state.data?.running === true ? 1_000 : SLOW_MS),
  });
}

export function useMembers(): UseQueryResult<Member[]> {
  return useQuery({
    queryKey: ["members"],
    queryFn: () => body(api.GET("/v1/members")),
    refetchInterval: SLOW_MS,
  });
}

export function useUsers(): UseQueryResult<User[]> {
  return useQuery({ queryKey: ["users"], queryFn: () => body(api.GET("/v1/users")) });
}

export function useClients(): UseQueryResult<Client[]> {
  return useQuery({ queryKey: ["clients"], queryFn: () => body(api.GET("/v1/clients")) });
}

export type DeliveryState = Delivery["state"];

export function useDeliveries(state: DeliveryState | null): UseQueryResult<Delivery[]> {
  return useQuery({
    queryKey: ["deliveries", state],
    queryFn: () =>
      body(
        api.GET("/v1/webhook-deliveries", {
          params: { query: { limit: 200, ...(state === null ? {} : { state }) } },
        }),
      ),
    refetchInterval: SLOW_MS,
  });
}

/** The custodian's own member id. */
export function useTenant(): string | null {
  const ledger = useQuery({
    queryKey: ["ledger"],
    queryFn: () => body(openApi.GET("/v1/ledger")),
    staleTime: Infinity,
  });
  return ledger.data?.tenant ?? null;
}
