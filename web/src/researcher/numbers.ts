/** Numbers as researchers read them. Decimals come from the service as text, so that digests are exact. */
import { asCount } from "../format/time";
import { language } from "../texts";
import { researcher as texts } from "../texts/researcher";

const small = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
const precise = new Intl.NumberFormat(language, { maximumFractionDigits: 6 });
const share = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat(language);

/** A privacy loss; three digits tell all that anybody can use. */
export function asLoss(value: number): string {
  return small.format(value);
}

export function asShare(value: number): string {
  return share.format(value);
}

/** A decimal of the service; empty where the noise hides it. */
export function asDecimal(text: string): string {
  return text === "" ? texts.results.hidden : precise.format(Number(text));
}

export function numberOf(text: string): number | null {
  const found = text.trim() === "" ? Number.NaN : Number(text);
  return Number.isFinite(found) ? found : null;
}

export function withError(value: number, error: number): string {
  return `${asCount(value)} ± ${asCount(error)}`;
}

/** An amount in a token's smallest unit: too large for a number of this language. */
export function asAmount(text: string): string {
  return /^\d+$/.test(text) ? whole.format(BigInt(text)) : text;
}

/** Half-open, in steps of ten. */
export function asRange({ low, high }: { low: number; high: number }): string {
  return low === 0
    ? texts.numbers.fewerThan(asCount(high))
    : texts.numbers.range(asCount(low), asCount(high - 1));
}

const BIN = /^\[([^,]+),([^)]+)\)$/;

/** A level of a variable's public domain, in words. */
export function asLevel(level: string): string {
  const [, from, to] = BIN.exec(level) ?? [];
  if (from !== undefined && to !== undefined) {
    return texts.levels.between(from, to);
  }
  if (level.startsWith(">=")) {
    return texts.levels.from(level.slice(2));
  }
  if (level.startsWith("<")) {
    return texts.levels.below(level.slice(1));
  }
  return texts.levels.named[level] ?? level;
}

const PAIR = " | ";

/** The two levels of a cell of two variables. */
export function pairOf(label: string): [string, string] {
  const place = label.indexOf(PAIR);
  return place < 0 ? [label, ""] : [label.slice(0, place), label.slice(place + PAIR.length)];
}
