/** The one way to the service: typed by its OpenAPI document, with the session's token, errors as exceptions. */
import createClient from "openapi-fetch";
import { accessToken, renew, signedOut } from "../session/tokens";
import { Problem, Unreachable } from "./problem";
import type { components, paths } from "./schema.gen";

export type Schemas = components["schemas"];

const TIMEOUT_MS = 30_000;

async function send(request: Request): Promise<Response> {
  try {
    return await fetch(request, {
      signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
  } catch (failure) {
    if (request.signal.aborted) {
      throw failure;
    }
    throw new Unreachable();
  }
}

function authorized(request: Request, token: string | null): Request {
  const copy = request.clone();
  if (token !== null) {
    copy.headers.set("Authorization", `Bearer ${token}`);
  }
  return copy;
}

/** Send with the session's token; once more with a new one where the service says that it has run out. */
async function sendSignedIn(request: Request): Promise<Response> {
  const token = await accessToken();
  const response = await send(authorized(request, token));
  if (response.status !== 401 || token === null) {
    return response;
  }
  const renewed = await renew(token);
  if (renewed === null) {
    signedOut();
    return response;
  }
  return send(authorized(request, renewed));
}

const options = { baseUrl: location.origin, cache: "no-store" } as const;

/** Calls as whoever is signed in. */
export const api = createClient<paths>({ ...options, fetch: sendSignedIn });

/** Calls as nobody: what is open to all, and signed stops, which no session may hold up. */
export const openApi = createClient<paths>({ ...options, fetch: send });

interface Answer<T> {
  data?: T | undefined;
  error?: unknown;
  response: Response;
}

/** The answer's body. Raises Problem or Unreachable. */
export async function body<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok && data !== undefined) {
    return data;
  }
  throw problemOf(response, error);
}

/** For calls whose success has no body. */
export async function done(answer: Promise<Answer<unknown>>): Promise<void> {
  const { error, response } = await answer;
  if (!response.ok) {
    throw problemOf(response, error);
  }
}

export function problemOf(response: Response, error: unknown): Problem {
  const found = typeof error === "object" && error !== null ? (error as Record<string, unknown>) : {};
  const text = (name: string): string => (typeof found[name] === "string" ? found[name] : "");
  const wait = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return new Problem(
    response.status,
    text("code"),
    text("detail"),
    Number.isFinite(wait) ? wait : null,
    text("field"),
  );
}
