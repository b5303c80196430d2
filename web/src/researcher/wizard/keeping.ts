/** The one draft of this tab: kept over a reload, in the tab alone, so that two tabs write two proposals. */
import { useCallback, useSyncExternalStore } from "react";
import { current } from "../../session/tokens";
import { emptyDraft, type Draft } from "./draft";

const KEY = "assent.proposal";

type Change = (before: Draft) => Draft;

interface Kept {
  /** Whose it is: somebody else who signs in here does not get it. */
  username: string;
  draft: Draft;
}

const listeners = new Set<() => void>();
let kept: Kept | null = read();

function read(): Kept | null {
  try {
    const text = sessionStorage.getItem(KEY);
    return text === null ? null : (JSON.parse(text) as Kept);
  } catch {
    return null; // no storage, or something else wrote there
  }
}

function write(next: Kept | null): void {
  kept = next;
  try {
    if (next === null) {
      sessionStorage.removeItem(KEY);
    } else {
      sessionStorage.setItem(KEY, JSON.stringify(next));
    }
  } catch {
    // Without storage it is there until the page is left.
  }
  listeners.forEach((listener) => listener());
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function username(): string {
  const who = current()?.who;
  return who?.kind === "staff" ? who.username : "";
}

function draftNow(): Draft {
  if (kept?.username !== username()) {
    const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join("");
    kept = { username: username(), draft: emptyDraft(Date.now(), key) };
  }
  return kept.draft;
}

/** Files of this tab by their SHA-256: they are sent once the study is there, and asked for again after a reload. */
export const files = new Map<string, File>();

export function useDraft(): { draft: Draft; change: (change: Change) => void; discard: () => void } {
  const draft = useSyncExternalStore(subscribe, draftNow);
  const change = useCallback((apply: Change) => {
    write({ username: username(), draft: apply(draftNow()) });
  }, []);
  const discard = useCallback(() => {
    files.clear();
    write(null);
  }, []);
  return { draft, change, discard };
}
