/** Dates and counts as people read them, in the language of the texts. */
import { language } from "../texts";

const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
const moment = new Intl.DateTimeFormat(language, {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
});
const whole = new Intl.NumberFormat(language);
const days = new Intl.NumberFormat(language, {
  style: "unit",
  unit: "day",
  unitDisplay: "long",
  maximumFractionDigits: 1,
});
const listing = new Intl.ListFormat(language, { type: "conjunction" });

export function asDay(iso: string): string {
  return day.format(new Date(iso));
}

export function asMoment(iso: string): string {
  return moment.format(new Date(iso));
}

/** A length of time, given in seconds. */
export function asDays(seconds: number): string {
  return days.format(seconds / 86_400);
}

export function asCount(value: number): string {
  return whole.format(value);
}

export function asList(words: readonly string[]): string {
  return listing.format(words);
}

/** The date of an input element (local day), for the ISO moment of its last second or back. */
export function endOfDay(date: string): string {
  return new Date(`${date}T23:59:59`).toISOString();
}

export function dateOf(iso: string): string {
  const at = new Date(iso);
  const pad = (value: number): string => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
}

/** An id short enough for an eye to compare: first and last four bytes. */
export function shortId(id: string): string {
  return id.length > 20 ? `${id.slice(0, 10)}…${id.slice(-8)}` : id;
}
