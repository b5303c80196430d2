/** What a word for a failed delivery says to look at; null where only the word is known. */
import { texts } from "../texts";

const LOOK = texts.operator.messages.look;

export function lookAt(failure: string): string | null {
  return LOOK[failure.startsWith("status_") ? "status" : failure] ?? null;
}
