/** Asks for AuditEvents. */
import { api, problemOf } from "../api/client";
import type { Problem } from "../api/problem";
import type { Bundle } from "./fhir";

/** One page of a search. Raises Problem or Unreachable. */
export async function search(query: URLSearchParams): Promise<Bundle> {
  const { data, error, response } = await api.GET("/fhir/AuditEvent", {
    querySerializer: () => query.toString(),
  });
  if (!response.ok) {
    throw outcomeProblem(response, error);
  }
  return data as Bundle;
}

interface OperationOutcome {
  issue?: { details?: { text?: string; coding?: { code?: string }[] } }[];
}

/** Below /fhir an error is an OperationOutcome. */
function outcomeProblem(response: Response, error: unknown): Problem {
  const details = (error as OperationOutcome | undefined)?.issue?.[0]?.details;
  const code = details?.coding?.[0]?.code;
  return problemOf(response, code === undefined ? error : { code, detail: details?.text ?? "" });
}
