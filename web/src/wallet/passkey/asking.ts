/** The question that stands before each signature of a passkey account; the page shows it, one at a time. */
import { useSyncExternalStore } from "react";
import type { TypedData } from "../types";

export type ToConfirm = { kind: "text"; text: string } | { kind: "typed"; typed: TypedData };

export interface Question {
  asked: ToConfirm;
  answer: (yes: boolean) => void;
}

let open: Question | null = null;
const listeners = new Set<() => void>();

function set(question: Question | null): void {
  open = question;
  listeners.forEach((listener) => listener());
}

/** Whether the person wants this signed. A second question while one is open is answered with no. */
export function confirmed(asked: ToConfirm): Promise<boolean> {
  if (open !== null) {
    return Promise.resolve(false);
  }
  return new Promise((resolve) => {
    const question: Question = {
      asked,
      answer: (yes) => {
        if (open === question) {
          set(null);
        }
        resolve(yes);
      },
    };
    set(question);
  });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useQuestion(): Question | null {
  return useSyncExternalStore(subscribe, () => open);
}
