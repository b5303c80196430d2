/** What an answer to a request says, member by member, as the page shows it. */
import type { Schemas } from "../api/client";
import type { Request } from "../api/queries";
import { maskOf, secondsOf, type Shown } from "../wallet/typed";
import type { Narrowing } from "./useDraft";

export type Answer = "grant" | "refuse";

const KINDS: Record<Answer, number> = { grant: 1, refuse: 5 };
const DECISIONS: Record<Answer, number> = { grant: 1, refuse: 2 };
const NOT_IN_EMERGENCIES = 3;
const UNLIMITED = 2 ** 32 - 1;

/** A refusal says no to all that was asked, a grant yes to what is left of it. */
export function shownIn(
  request: Request,
  answer: Answer,
  narrowing: Narrowing,
  bits: Schemas["BitsView"],
): Record<string, Shown> {
  const { categories, sensitivities, actions, notAfter } = answer === "grant" ? narrowing : asked(request);
  return {
    subject: BigInt(request.subject),
    kind: KINDS[answer],
    request: request.request_id,
    notBefore: beginningOf(request.not_before),
    notAfter: secondsOf(notAfter),
    terms: {
      decision: DECISIONS[answer],
      grantee: request.requester,
      purposes: maskOf(bits.purposes, request.purposes),
      categories: maskOf(bits.categories, categories),
      sensitivities: maskOf(bits.sensitivities, sensitivities),
      actions: maskOf(bits.actions, actions),
      dataFrom: beginningOf(request.data_from),
      dataTo: secondsOf(request.data_to),
      eraseBy: secondsOf(request.erase_by),
      maxUses: request.max_uses ?? UNLIMITED,
      usesPerPeriod: request.frequency?.uses ?? UNLIMITED,
      periodSeconds: request.frequency?.period_seconds ?? 0,
      breakGlass: NOT_IN_EMERGENCIES,
      breakGlassCategories: 0,
      redelegationDepth: 0,
      rules: [],
    },
  };
}

/** All that was asked, nothing left out. */
export function asked({ categories, sensitivities, actions, not_after }: Request): Narrowing {
  return { categories, sensitivities, actions, notAfter: not_after };
}

function beginningOf(moment: string | null): number {
  return moment === null ? 0 : secondsOf(moment);
}
