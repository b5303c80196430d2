/** What went wrong with a call, in the three kinds that a person can act on differently. */
import { texts } from "../texts";

/** The service answered, and said no (RFC 9457). `code` is stable; docs/errors.md explains each. */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    /** Seconds until another try makes sense, where the service said so. */
    readonly retryAfter: number | null,
    /** What the service says can be done. */
    readonly remedy = "",
    /** Dotted path of the place at fault in what was sent, where there is one. */
    readonly field = "",
  ) {
    super(`${status} ${code}`);
  }

  /** A part of the system did not answer: says nothing about permission. */
  get isOutage(): boolean {
    return this.status === 503 || this.status === 502;
  }
}

/** No answer came at all: the network, or the service, is away. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** What to show: one sentence of what happened, one of what to do next. */
export interface Explained {
  what: string;
  next: string;
  code: string | null;
}

export function explain(error: unknown): Explained {
  if (error instanceof Unreachable) {
    return { ...texts.problems.unreachable, code: null };
  }
  if (error instanceof Problem) {
    const known = texts.problems.codes[error.code];
    if (known !== undefined) {
      return { ...known, code: error.code };
    }
    if (error.isOutage) {
      const next =
        error.retryAfter === null ? texts.problems.outage.next : texts.problems.outageIn(error.retryAfter);
      return { what: texts.problems.outage.what, next, code: error.code };
    }
    const told = error.detail === error.remedy ? [error.detail] : [error.detail, error.remedy];
    const place = error.field === "" ? "" : texts.problems.place(error.field);
    return { what: texts.problems.refused, next: [...told, place].join(" ").trim(), code: error.code };
  }
  if (error instanceof Error && "next" in error && typeof error.next === "string") {
    return { what: error.message, next: error.next, code: null };
  }
  return { ...texts.problems.unexpected, code: null };
}
