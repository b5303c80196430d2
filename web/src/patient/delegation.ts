/** Powers over a patient's records: what a delegation says, and how a draft is held against the wish. */
import type { Schemas } from "../api/client";
import type { Consent } from "../api/queries";
import { zeroHash } from "viem";
import { maskOf, secondsOf, type Shown } from "../wallet/typed";

export type Power = Schemas["DelegationWishBody"]["powers"][number];

/** By the bits of the ledger's contract. */
const BITS: Record<Power, number> = { grant: 1, revoke: 2, read: 4, delegate: 8 };
const KIND = { delegation: 3, guardianship: 4 } as const;
/** Of the relationship of somebody with themself (HL7 v3 RoleCode), before the name of the device. */
const ONESELF = "ONESELF: ";
const RECORDING_MS = 1_000;
const SLOW_MS = 15_000;
const STANDING = new Set(["pending", "not_yet_valid", "live", "suspended"]);

export const DEVICE_POWERS: readonly Power[] = ["grant", "revoke", "read"];

export interface Held {
  consent: Consent;
  account: string;
  /** As it was signed: who it is to the patient, or the name of a device. */
  name: string;
  powers: readonly Power[];
  isGuardian: boolean;
  isDevice: boolean;
  /** A guardian who brings the account back if it is lost, and has no other power. */
  isForRecovery: boolean;
}

export interface Wish {
  subject: string;
  delegate: string;
  relationship: string;
  powers: readonly Power[];
  purposes: readonly string[];
  categories: readonly string[];
  sensitivities: readonly string[];
  notAfter: string;
  isGuardian?: boolean;
}

export function asDevice(name: string): string {
  return ONESELF + name;
}

export function isStanding({ consent }: Held): boolean {
  return STANDING.has(consent.state);
}

/** Every power that was ever given, newest first. */
export function powersIn(consents: readonly Consent[]): Held[] {
  return consents
    .filter(({ kind }) => kind === "delegation" || kind === "guardianship")
    .map(heldBy)
    .sort((one, other) => (other.consent.received_at ?? "").localeCompare(one.consent.received_at ?? ""));
}

/** When to look again: another device may change the list, and what is being recorded soon is. */
export function lookAgain(consents: readonly Consent[] | undefined): number {
  return consents?.some((one) => one.state === "pending") === true ? RECORDING_MS : SLOW_MS;
}

function heldBy(consent: Consent): Held {
  const { delegate, powers, depth, terms } = consent.message as {
    delegate: string;
    powers: number | string;
    depth: number | string;
    terms: { relationship: string };
  };
  const isDevice = consent.kind === "delegation" && terms.relationship.startsWith(ONESELF);
  return {
    consent,
    account: delegate,
    name: isDevice ? terms.relationship.slice(ONESELF.length) : terms.relationship,
    powers: (Object.keys(BITS) as Power[]).filter((power) => (Number(powers) & BITS[power]) !== 0),
    isGuardian: consent.kind === "guardianship",
    isDevice,
    isForRecovery: consent.kind === "guardianship" && Number(powers) === BITS.delegate && Number(depth) === 0,
  };
}

export function kindOf({ isGuardian = false }: Wish): keyof typeof KIND {
  return isGuardian ? "guardianship" : "delegation";
}

/** What a delegation says, member by member, as the page shows it. */
export function shownIn(wish: Wish, bits: Schemas["BitsView"]): Record<string, Shown> {
  return {
    subject: BigInt(wish.subject),
    delegate: wish.delegate,
    powers: wish.powers.reduce((mask, power) => mask | BITS[power], 0),
    kind: KIND[kindOf(wish)],
    depth: 0,
    parent: zeroHash,
    notAfter: secondsOf(wish.notAfter),
    terms: {
      purposes: maskOf(bits.purposes, wish.purposes),
      categories: maskOf(bits.categories, wish.categories),
      sensitivities: maskOf(bits.sensitivities, wish.sensitivities),
      relationship: wish.relationship,
    },
  };
}
