/** What pages show, fetched once and kept fresh; each under a key that whoever changes it can call stale. */
import {
  QueryClient,
  useInfiniteQuery,
  useQuery,
  type UseInfiniteQueryResult,
  type UseQueryResult,
} from "@tanstack/react-query";
import { useMemo } from "react";
import { shortId } from "../format/time";
import { current, renew } from "../session/tokens";
import { language, texts } from "../texts";
import { api, body, openApi, type Schemas } from "./client";
import { Problem, Unreachable } from "./problem";

const SLOW_MS = 15_000;
const RENEWAL_MS = 1_000;
const FOREVER = { staleTime: Infinity } as const;

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (count, error) =>
        count < 2 && (error instanceof Unreachable || (error instanceof Problem && error.isOutage)),
      retryDelay: (count) => 500 * 2 ** count,
    },
    mutations: { retry: false },
  },
});

export type Request = Schemas["RequestView"];
export type Consent = Schemas["ConsentView"];
export type Access = Schemas["AccessView"];
export type Overview = Schemas["OverviewView"];
export type SessionInfo = Schemas["SessionView"];
export type Table = "purposes" | "categories" | "sensitivities" | "actions" | "obligations";

export function useSessionInfo(): UseQueryResult<SessionInfo> {
  return useQuery({
    queryKey: ["session"],
    queryFn: sessionInfo,
    staleTime: 60_000,
    refetchInterval: ({ state }) => state.data !== undefined && lagsBehind(state.data) && RENEWAL_MS,
  });
}

/** The token is of before the account had a patient. A new one has the scopes, at the latest after two seconds. */
export function lagsBehind({ kind, subjects, scopes }: SessionInfo): boolean {
  return kind === "wallet" && subjects.length > 0 && !scopes.includes("consents:own");
}

async function sessionInfo(): Promise<SessionInfo> {
  const found = await body(api.GET("/v1/auth/session"));
  const session = current();
  if (session === null || !lagsBehind(found)) {
    return found;
  }
  await renew(session.access);
  return body(api.GET("/v1/auth/session"));
}

export function useRequests(): UseQueryResult<Request[]> {
  return useQuery({
    queryKey: ["requests"],
    queryFn: () => body(api.GET("/v1/consent-requests", { params: { query: { limit: 100 } } })),
    staleTime: 0,
    refetchInterval: SLOW_MS,
  });
}

export function useRequest(id: string): UseQueryResult<Request> {
  return useQuery({
    queryKey: ["requests", id],
    queryFn: () =>
      body(api.GET("/v1/consent-requests/{request_id}", { params: { path: { request_id: id } } })),
  });
}

export function useConsents(
  subject: string,
  again: (found: Consent[] | undefined) => number | false = () => false,
): UseQueryResult<Consent[]> {
  return useQuery({
    queryKey: ["consents", subject],
    queryFn: () => body(api.GET("/v1/consents", { params: { query: { subject } } })),
    refetchInterval: ({ state }) => again(state.data),
  });
}

export function useConsent(
  subject: string,
  consent: string,
  again: (found: Schemas["ConsentHistoryView"] | undefined) => number | false = () => false,
): UseQueryResult<Schemas["ConsentHistoryView"]> {
  return useQuery({
    queryKey: ["consents", subject, consent],
    queryFn: () =>
      body(
        api.GET("/v1/consents/{consent}", {
          params: { path: { consent }, query: { subject }, header: { accept: "application/json" } },
        }),
      ),
    refetchInterval: ({ state }) => again(state.data),
  });
}

export function useOverview(subject: string): UseQueryResult<Overview> {
  return useQuery({
    queryKey: ["overview", subject],
    queryFn: () => allOf(subject),
    staleTime: 60_000, // each look is an entry of the patient's list
    refetchOnWindowFocus: false,
  });
}

/** All pages of the overview as one. */
async function allOf(subject: string): Promise<Overview> {
  const first = await body(api.GET("/v1/overview", { params: { query: { subject } } }));
  const rows = [...first.rows];
  for (let offset = first.next_offset; offset !== null;) {
    const more = await body(api.GET("/v1/overview", { params: { query: { subject, offset } } }));
    rows.push(...more.rows);
    offset = more.next_offset;
  }
  return { ...first, rows };
}

type AccessPage = Schemas["AccessPageView"];

export function useAccesses(subject: string, limit: number): UseInfiniteQueryResult<{ pages: AccessPage[] }> {
  return useInfiniteQuery({
    queryKey: ["accesses", subject, limit],
    queryFn: ({ pageParam }) =>
      body(
        api.GET("/v1/accesses", {
          params: { query: { subject, limit, ...(pageParam === null ? {} : { before: pageParam }) } },
        }),
      ),
    initialPageParam: null as number | null,
    getNextPageParam: (page: AccessPage) => page.next_before,
    staleTime: 30_000, // each look at the list is an entry of it
  });
}

export type StoredRecord = Schemas["RecordView"];

// HL7 v3 PurposeOfUse: a patient's own request, and one made by family.
export function ownPurpose(isSelf: boolean): string {
  return isSelf ? "PATRQT" : "FAMRQT";
}

export function useRecords(
  subject: string,
  isSelf: boolean,
): UseInfiniteQueryResult<{ pages: Schemas["RecordPage"][] }> {
  return useInfiniteQuery({
    queryKey: ["records", subject],
    queryFn: ({ pageParam }) =>
      body(
        api.GET("/v1/records", {
          params: {
            query: {
              purpose: ownPurpose(isSelf),
              subject,
              limit: 100,
              ...(pageParam === null ? {} : { cursor: pageParam }),
            },
          },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page: Schemas["RecordPage"]) => page.next,
    staleTime: 60_000,
  });
}

export function useRecord(record: string, purpose: string): UseQueryResult<StoredRecord> {
  return useQuery({
    queryKey: ["record", record, purpose],
    queryFn: () =>
      body(
        api.GET("/v1/records/{record}", {
          params: {
            path: { record },
            query: { purpose },
            header: { accept: "application/json" },
          },
        }),
      ),
    staleTime: Infinity, // each reading is an entry of the patient's list
    gcTime: 60_000,
  });
}

export function useUses(subject: string): UseQueryResult<Schemas["UseView"][]> {
  return useQuery({
    queryKey: ["uses", subject],
    queryFn: () => body(api.GET("/v1/studies/uses", { params: { query: { subject } } })),
  });
}

export function useErasures(subject: string): UseQueryResult<Schemas["ErasureView"][]> {
  return useQuery({
    queryKey: ["erasures", subject],
    queryFn: () => body(api.GET("/v1/erasures", { params: { query: { subject } } })),
  });
}

/** What an organisation may see of a patient's records, for a purpose, as of now. */
export function useGranted(patientRef: string, purpose: string): UseQueryResult<Schemas["RecordPage"]> {
  return useQuery({
    queryKey: ["granted", patientRef, purpose],
    queryFn: () =>
      body(api.GET("/v1/records", { params: { query: { patient_ref: patientRef, purpose, limit: 100 } } })),
    // Never an old answer: a permission that ended must not be shown as one, nor one that was given as none.
    gcTime: 0,
    staleTime: 0,
    refetchOnWindowFocus: false, // each listing is an entry of the patient's list
  });
}

export type Notice = Schemas["RevocationNoticeView"];

export function useObligations(): UseQueryResult<Notice[]> {
  return useQuery({
    queryKey: ["obligations"],
    queryFn: () => body(api.GET("/v1/notices-of-revocation", { params: { query: { limit: 200 } } })),
    refetchInterval: SLOW_MS,
  });
}

export type Words = (table: Table, codes: readonly string[]) => string[];

/** Words for codes; until they are there, and for a code without any, the code itself. */
export function useWords(): Words {
  const { data } = useTables();
  return useMemo(() => (table, found) => found.map((code) => data?.[table][code] ?? code), [data]);
}

/** Every code of a table, in the table's order. */
export function useCodes(table: Table): string[] {
  return Object.keys(useTables().data?.[table] ?? {});
}

function useTables(): UseQueryResult<Schemas["TableWords"]> {
  return useQuery({
    queryKey: ["words", language],
    queryFn: () => body(openApi.GET("/v1/tables/words", { params: { query: { language } } })),
    ...FOREVER,
  });
}

/** Where each code stands in the masks that are signed. */
export function bitsOfTables(): Promise<Schemas["BitsView"]> {
  return queries.query({
    queryKey: ["tables"],
    queryFn: async () => (await body(openApi.GET("/v1/tables"))).bits,
    ...FOREVER,
  });
}

/** Names of organisations; an id, shortened, for one that has none here. */
export function useNames(): (id: string | null) => string {
  const { data } = useQuery({
    queryKey: ["organisations"],
    queryFn: () => body(api.GET("/v1/organisations")),
    staleTime: 300_000,
  });
  return useMemo(() => {
    const names = new Map(data?.map((one) => [one.member_id, one.name] as const));
    return (id) => (id === null ? texts.accesses.someone : (names.get(id) ?? shortId(id)));
  }, [data]);
}
