/** What the auditor's pages ask the service for. */
import {
  useInfiniteQuery,
  useQuery,
  type UseInfiniteQueryResult,
  type UseQueryResult,
} from "@tanstack/react-query";
import { api, body, openApi, type Schemas } from "../api/client";
import type { Tile } from "../proof/tiles";
import { pathOf } from "../proof/tiles";
import { entryOf, damagedIn, eventsIn, nextOf, queryOf, type Criteria } from "./fhir";
import { entryOfSystem, type Entry } from "./entries";
import { search } from "./searching";

const AT_ONCE = 200;
const PAGE_AT_ONCE = 100; // of everybody's entries: each patient sees that theirs were shown

export interface EntryPage {
  entries: Entry[];
  gaps: number;
  damaged: number;
}

type Pages<T> = UseInfiniteQueryResult<{ pages: (EntryPage & { next: T | null })[] }>;

/** The system's entries, newest first. */
export function useSystemEntries(enabled: boolean): Pages<number> {
  return useInfiniteQuery({
    queryKey: ["audit", "system"],
    enabled,
    queryFn: async ({ pageParam }) => {
      const page = await body(
        api.GET("/v1/log/entries", {
          params: { query: { limit: AT_ONCE, ...(pageParam === null ? {} : { before: pageParam }) } },
        }),
      );
      return {
        entries: page.entries.map(entryOfSystem),
        gaps: page.gaps,
        damaged: 0,
        next: page.next_before,
      };
    },
    initialPageParam: null as number | null,
    getNextPageParam: ({ next }) => next,
    staleTime: 30_000, // each look at the list is an entry of it
    refetchOnWindowFocus: false,
  });
}

/** Entries of patients and of the system alike that meet the criteria. */
export function useEverybodysEntries(criteria: Criteria, enabled: boolean): Pages<string> {
  return useInfiniteQuery({
    queryKey: ["audit", "everybody", criteria],
    enabled,
    queryFn: async ({ pageParam }) => {
      const query = pageParam === null ? queryOf(criteria, PAGE_AT_ONCE) : new URLSearchParams(pageParam);
      const bundle = await search(query);
      return {
        entries: eventsIn(bundle).map(entryOf),
        gaps: 0,
        damaged: damagedIn(bundle),
        next: nextOf(bundle)?.toString() ?? null,
      };
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    staleTime: 30_000,
    refetchOnWindowFocus: false,
  });
}

export function useCheckpoint(): UseQueryResult<Schemas["CheckpointView"]> {
  return useQuery({
    queryKey: ["audit", "checkpoint"],
    queryFn: () =>
      body(openApi.GET("/v1/log/checkpoint", { params: { header: { accept: "application/json" } } })),
    refetchInterval: 30_000,
  });
}

export function useLogKeys(): UseQueryResult<Schemas["LogKeyView"][]> {
  return useQuery({
    queryKey: ["audit", "keys"],
    queryFn: () => body(openApi.GET("/v1/log/keys")),
    staleTime: 60_000,
  });
}

/** The verifier keys of the witnesses whose cosignatures are taken. */
export function useWitnessKeys(): UseQueryResult<string[]> {
  return useQuery({
    queryKey: ["audit", "witnesses"],
    queryFn: async () => {
      const text = await body(openApi.GET("/v1/log/witnesses", { parseAs: "text" }));
      return text.split("\n").filter((line) => line !== "");
    },
    staleTime: 60_000,
  });
}

/** A tile of hashes; it never changes. */
export async function fetchTile(tile: Tile): Promise<Uint8Array> {
  const content = await body(
    openApi.GET("/v1/log/tile/{level}/{number}", {
      params: { path: { level: String(tile.level), number: pathOf(tile) } },
      parseAs: "arrayBuffer",
    }),
  );
  return new Uint8Array(content);
}
