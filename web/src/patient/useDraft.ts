/** The draft of a grant that answers a request, as narrowed so far, with what it would show. */
import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { api, body, type Schemas } from "../api/client";
import type { Request } from "../api/queries";
import type { Answer } from "./answer";
import type { Via } from "./chain";
import { language } from "../texts";

export interface Narrowing {
  categories: readonly string[];
  sensitivities: readonly string[];
  actions: readonly string[];
  notAfter: string | null;
}

export interface Drafted {
  draft: Schemas["Draft"];
  preview: Schemas["PreviewView"];
}

export function draftOf(
  request: Request,
  answer: Answer,
  narrowing: Narrowing,
  via: Via,
): Promise<Schemas["Draft"]> {
  const narrower =
    answer === "refuse"
      ? {}
      : {
          categories: [...narrowing.categories],
          sensitivities: [...narrowing.sensitivities],
          actions: [...narrowing.actions],
          ...(narrowing.notAfter === null ? {} : { not_after: narrowing.notAfter }),
        };
  return body(
    api.POST("/v1/consent-requests/{request_id}/draft", {
      params: { path: { request_id: request.request_id } },
      body: { answer, language, emergency: "forbid", emergency_categories: [], rules: [], via, ...narrower },
    }),
  );
}

export function useDraft(
  request: Request,
  narrowing: Narrowing,
  via: Via,
  enabled: boolean,
): UseQueryResult<Drafted> {
  return useQuery({
    queryKey: ["draft", request.request_id, narrowing, via.length],
    enabled,
    staleTime: 60_000,
    placeholderData: keepPreviousData,
    queryFn: async () => {
      const draft = await draftOf(request, "grant", narrowing, via);
      const preview = await body(
        api.POST("/v1/consents/preview", {
          body: { subject: request.subject, message: draft.message, via, purposes: [], days: 30 },
        }),
      );
      return { draft, preview };
    },
  });
}
