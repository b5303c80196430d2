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

/** Below /fhir an error is an OperationOutcome. */
function outcomeProblem(response: Response, error: unknown): Problem {
  const [issue] =
    (error as { issue?: { diagnostics?: string; details?: { coding?: { code?: string }[] } }[] } | undefined)
      ?.issue ?? [];
  const code = issue?.details?.coding?.[0]?.code;
  return code === undefined
    ? problemOf(response, error)
    : problemOf(response, { code, detail: issue?.diagnostics ?? "" });
}
