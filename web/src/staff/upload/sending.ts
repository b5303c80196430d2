/**
 * Sends a document with its progress, which fetch cannot tell. A file keeps its Idempotency-Key in the tab until
 * it is known to be stored: a lost answer, a reload, a second try make no second record.
 */
import { problemOf, type Schemas } from "../../api/client";
import { Unreachable } from "../../api/problem";
import { accessToken, renew, signedOut } from "../../session/tokens";

export interface Sending {
  query: URLSearchParams;
  file: Blob;
  mediaType: string;
  key: string;
  /** From 0 to 1. */
  progress: (part: number) => void;
  signal: AbortSignal;
}

export async function store(sending: Sending): Promise<Schemas["StoredView"]> {
  const token = await accessToken();
  const first = await send(sending, token);
  if (first.status !== 401 || token === null) {
    return stored(first);
  }
  const renewed = await renew(token);
  if (renewed === null) {
    signedOut();
    return stored(first);
  }
  return stored(await send(sending, renewed));
}

async function stored(response: Response): Promise<Schemas["StoredView"]> {
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) {
    return answer as Schemas["StoredView"];
  }
  throw problemOf(response, answer);
}

/** Raises Unreachable, and the signal's reason. */
function send(sending: Sending, token: string | null): Promise<Response> {
  const { query, file, mediaType, key, progress, signal } = sending;
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = (): void => request.abort();
    request.open("POST", `/v1/records?${query.toString()}`);
    request.setRequestHeader("Content-Type", mediaType);
    request.setRequestHeader("Idempotency-Key", key);
    if (token !== null) {
      request.setRequestHeader("Authorization", `Bearer ${token}`);
    }
    request.upload.onprogress = ({ loaded, total }) => progress(total === 0 ? 1 : loaded / total);
    request.upload.onload = () => progress(1);
    request.onload = () => resolve(answerOf(request));
    request.onerror = () => reject(new Unreachable());
    request.onabort = () => reject(signal.reason as Error);
    request.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop);
    request.send(file);
  });
}

function answerOf(request: XMLHttpRequest): Response {
  const retryAfter = request.getResponseHeader("Retry-After");
  return new Response(request.responseText, {
    status: request.status,
    headers: retryAfter === null ? {} : { "Retry-After": retryAfter },
  });
}

const KEY = "assent.upload.";

/** The key of a file for a patient: `name` says which, and tells nothing. */
export function keyOf(name: string): string {
  const found = sessionStorage.getItem(KEY + name) ?? crypto.randomUUID();
  sessionStorage.setItem(KEY + name, found);
  return found;
}

export function forgetKey(name: string): void {
  sessionStorage.removeItem(KEY + name);
}
