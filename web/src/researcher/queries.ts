/** What researchers' pages show. */
import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { api, body, type Schemas } from "../api/client";
import { queries } from "../api/queries";
import { save } from "../ui/download";
import type { RunResult } from "./result";
import type { Proposal } from "./wizard/draft";

const SOON_MS = 1_000;
const SLOW_MS = 15_000;

export type Catalogue = Schemas["CatalogueView"];
export type Offer = Schemas["OfferView"];
export type Study = Schemas["StudyView"];
export type Run = Schemas["RunView"];
export type StudyBudget = Schemas["StudyBudgetView"];

export function useCatalogue(): UseQueryResult<Catalogue> {
  return useQuery({
    queryKey: ["catalogue"],
    queryFn: () => body(api.GET("/v1/catalogue")),
    staleTime: 60_000,
    refetchInterval: ({ state }) => (state.data?.standing.state === "drawing" ? SOON_MS * 2 : false),
  });
}

/** A view as it is run: SQL on FHIR. */
export function useView(name: string | null): UseQueryResult<Record<string, unknown>> {
  return useQuery({
    queryKey: ["view", name],
    queryFn: () => body(api.GET("/v1/catalogue/views/{name}", { params: { path: { name: name ?? "" } } })),
    enabled: name !== null,
    staleTime: Infinity,
  });
}

/** What a draft would get and cost. Nothing of it is stored or spent, so it may be asked at every change. */
export function useQuote(draft: Proposal | null): UseQueryResult<Schemas["QuoteView"]> {
  return useQuery({
    queryKey: ["quote", draft],
    queryFn: () => body(api.POST("/v1/catalogue/quotes", { body: draft as Proposal })),
    enabled: draft !== null,
    staleTime: 60_000,
    gcTime: 60_000,
    placeholderData: keepPreviousData,
  });
}

/** The token that prices are in; null where this custodian has no payments. */
export function useMoney(): UseQueryResult<Schemas["TermsView"]> {
  return useQuery({
    queryKey: ["escrow-terms"],
    queryFn: () => body(api.GET("/v1/escrows/terms")),
    staleTime: Infinity,
    retry: false,
  });
}

export function useStudies(): UseQueryResult<Study[]> {
  return useQuery({
    queryKey: ["studies"],
    queryFn: () => body(api.GET("/v1/studies", { params: { query: { limit: 100 } } })),
    refetchInterval: SLOW_MS,
  });
}

export function useStudy(study: string): UseQueryResult<Study> {
  return useQuery({
    queryKey: ["studies", study],
    queryFn: () => body(api.GET("/v1/studies/{study}", { params: { path: { study } } })),
    refetchInterval: SLOW_MS,
  });
}

export function useQuestions(study: string): UseQueryResult<Schemas["StudyQuestionView"][]> {
  return useQuery({
    queryKey: ["studies", study, "questions"],
    queryFn: () => body(api.GET("/v1/studies/{study}/questions", { params: { path: { study } } })),
    refetchInterval: SLOW_MS,
  });
}

export function usePapers(study: string): UseQueryResult<Schemas["DocumentView"][]> {
  return useQuery({
    queryKey: ["studies", study, "papers"],
    queryFn: () => body(api.GET("/v1/studies/{study}/documents", { params: { path: { study } } })),
  });
}

export function useDifference(study: string): UseQueryResult<Schemas["DifferenceView"]> {
  return useQuery({
    queryKey: ["studies", study, "difference"],
    queryFn: () => body(api.GET("/v1/studies/{study}/difference", { params: { path: { study } } })),
    staleTime: Infinity,
  });
}

export function isUnderWay(run: Run): boolean {
  return run.state === "queued" || run.state === "running";
}

export function useRuns(study: string): UseQueryResult<Run[]> {
  return useQuery({
    queryKey: ["studies", study, "runs"],
    queryFn: () => body(api.GET("/v1/studies/{study}/runs", { params: { path: { study } } })),
    refetchInterval: ({ state }) => (state.data?.some(isUnderWay) === true ? SOON_MS : false),
  });
}

export function useResult(study: string, run: string): UseQueryResult<RunResult | null> {
  return useQuery({
    queryKey: ["studies", study, "runs", run, "result"],
    queryFn: async () => {
      const found = await body(
        api.GET("/v1/studies/{study}/runs/{run}", { params: { path: { study, run } } }),
      );
      return (found.result ?? null) as RunResult | null;
    },
    staleTime: 60_000,
  });
}

export function useBudget(): UseQueryResult<Schemas["BudgetView"]> {
  return useQuery({ queryKey: ["budget"], queryFn: () => body(api.GET("/v1/privacy-budget")) });
}

export function useOwnBudget(): UseQueryResult<Schemas["OwnBudgetView"]> {
  return useQuery({ queryKey: ["budget", "own"], queryFn: () => body(api.GET("/v1/privacy-budget/own")) });
}

export function useStudyBudget(study: string): UseQueryResult<StudyBudget> {
  return useQuery({
    queryKey: ["budget", study],
    queryFn: () => body(api.GET("/v1/privacy-budget/studies/{study}", { params: { path: { study } } })),
  });
}

/** Everything of a study, and what is spent, is asked for again. */
export async function renewed(study: string): Promise<void> {
  await Promise.all([
    queries.invalidateQueries({ queryKey: ["studies", study] }),
    queries.invalidateQueries({ queryKey: ["studies"], exact: true }),
    queries.invalidateQueries({ queryKey: ["budget"] }),
  ]);
}

export async function upload(study: string, paper: Blob, mediaType: string): Promise<void> {
  await body(
    api.PUT("/v1/studies/{study}/documents", {
      params: { path: { study } },
      body: paper as unknown as string,
      bodySerializer: (content) => content,
      headers: { "Content-Type": mediaType },
    }),
  );
}

export async function fetchPaper(study: string, document: string): Promise<Blob> {
  return body(
    api.GET("/v1/studies/{study}/documents/{document}", {
      params: { path: { study, document } },
      parseAs: "blob",
    }),
  );
}

export async function downloadLetter(study: string): Promise<void> {
  const content = await body(
    api.GET("/v1/studies/{study}/letter", {
      params: { path: { study } },
      parseAs: "blob",
    }),
  );
  save(content, `decision-${study.slice(2, 18)}.pdf`);
}

/** What a run released, sealed to the organisation's key: nobody else opens it. Returns the file's name. */
export async function downloadSealed(study: string, run: string, what: "dataset" | "fhir"): Promise<void> {
  const params = { path: { study, run } };
  const asked =
    what === "dataset"
      ? api.GET("/v1/studies/{study}/runs/{run}/dataset", { params, parseAs: "blob" })
      : api.GET("/v1/studies/{study}/runs/{run}/fhir", { params, parseAs: "blob" });
  save(await body(asked), sealedName(run));
}

export function sealedName(run: string): string {
  return `${run.slice(2, 18)}.assent`;
}

export async function downloadSample(
  variables: Schemas["VariableBody"][],
  rows: number,
  format: "csv" | "parquet",
): Promise<void> {
  const content = await body(
    api.POST("/v1/catalogue/samples", {
      body: { variables, rows, seed: 1, format },
      parseAs: "blob",
    }),
  );
  save(content, `sample.${format}`);
}
