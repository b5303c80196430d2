/** Amounts and shares as people read them. Amounts are integers in the smallest unit, as decimal text. */
import type { Schemas } from "../../api/client";
import { language, texts } from "../../texts";

export type Payment = Schemas["PaymentView"];
export type Use = Schemas["UseView"];

/** What a study pays in; null where it is not known. */
export interface Unit {
  symbol: string;
  decimals: number;
}

export function asAmount(amount: bigint, unit: Unit | null): string {
  if (unit === null) {
    return texts.payments.units(new Intl.NumberFormat(language).format(amount));
  }
  const scale = 10n ** BigInt(unit.decimals);
  const whole = new Intl.NumberFormat(language).format(amount / scale);
  const rest = (amount % scale).toString().padStart(unit.decimals, "0");
  // Cents are written out; of finer parts only those that are there.
  const shown = unit.decimals > 2 ? rest.replace(/0+$/, "") : rest;
  return `${whole}${shown === "" || unit.decimals === 0 ? "" : decimalPoint + shown} ${unit.symbol}`;
}

const decimalPoint =
  new Intl.NumberFormat(language).formatToParts(1.1).find(({ type }) => type === "decimal")?.value ?? ".";

export interface PaidStudy {
  study: string;
  title: string;
  /** Unix seconds, newest first. */
  usedAt: number[];
  /** Newest first. */
  shares: Payment[];
}

/** What each study used and pays, the study that used something last first. */
export function byStudy(uses: readonly Use[], payments: readonly Payment[]): PaidStudy[] {
  const studies = new Map<string, PaidStudy>();
  const of = (study: string, title: string): PaidStudy => {
    const found = studies.get(study) ?? { study, title, usedAt: [], shares: [] };
    studies.set(study, found);
    return found;
  };
  uses.forEach((use) => of(use.study_id, use.title).usedAt.push(use.used_at));
  payments.forEach((payment) => of(payment.study, payment.title).shares.push(payment));
  const found = [...studies.values()];
  found.forEach(({ usedAt }) => usedAt.sort((left, right) => right - left));
  return found.sort((left, right) => latest(right) - latest(left));
}

function latest({ usedAt, shares }: PaidStudy): number {
  const earned = shares.map((share) => (share.earned_at === null ? 0 : Date.parse(share.earned_at) / 1000));
  return Math.max(0, ...usedAt, ...earned);
}

/** What may be collected now, of all studies. */
export function collectable(payments: readonly Payment[]): bigint {
  return payments
    .filter((payment) => payment.standing === "claimable")
    .reduce((sum, payment) => sum + BigInt(payment.amount ?? 0), 0n);
}

/** The account that the study pays next: named, and in no payout yet. */
export function namedAccount(shares: readonly Payment[]): string | null {
  return shares.find((share) => share.standing === "named")?.payee ?? null;
}
