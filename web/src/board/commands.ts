/**
 * What a member of the board signs, worked out from the file that the page shows and held against what the
 * service drafted. A service that shows one proposal and drafts a permit for another is refused here.
 */
import { hashStruct, hashTypedData } from "viem/utils";
import type { Schemas } from "../api/client";
import { idOf } from "../wallet/typed";
import type { TypedData } from "../wallet/types";
import { digestOf } from "./canonical";

export type File = Schemas["FileView"];
export type MotionKind = "permit" | "refuse" | "resume" | "revoke";
export type Kind = MotionKind | "suspend";
type Members = { name: string; type: string }[];

const STUDY = { name: "study", type: "bytes32" };
const ROUND = { name: "round", type: "uint32" };
const COMMANDS: Record<Kind, [string, Members]> = {
  permit: [
    "PermitStudy",
    [
      STUDY,
      { name: "rules", type: "bytes32" },
      { name: "notBefore", type: "uint40" },
      { name: "notAfter", type: "uint40" },
      { name: "submitBy", type: "uint40" },
    ],
  ],
  refuse: ["RefuseStudy", [STUDY]],
  suspend: ["SuspendStudy", [STUDY, ROUND]],
  resume: ["ResumeStudy", [STUDY, ROUND]],
  revoke: ["RevokeStudy", [STUDY]],
};
const DOMAIN = "Assent Research";
const LONGEST_SECONDS = 70 * 86_400; // from now until a permit has to be submitted

/** The draft is not what the page shows: the wallet is not asked. */
export class DraftDiffers extends Error {
  override readonly name = "DraftDiffers";
}

/** Whether the text that the page shows is the study that it says it is. */
export function isWholeText({ study }: Pick<File, "study">): boolean {
  return `0x${digestOf(study.proposal)}` === study.study_id;
}

/** What a permit is for: the proposal, with its conditions where there are any. */
export function rulesOf({ study, conditions }: Pick<File, "study" | "conditions">): string {
  if (conditions.length === 0) {
    return `0x${digestOf(study.proposal)}`;
  }
  const written = conditions.map(({ text, due }) => ({
    text,
    due: due === null ? null : Math.round(Date.parse(due) / 1000),
  }));
  return `0x${digestOf(["assent-rules-1", study.study_id.slice(2), written])}`;
}

/** What the file makes of a decision; `submitBy` is the service's to say, within reason. */
function messageOf(file: File, kind: Kind, drafted: TypedData["message"]): Record<string, unknown> {
  const study = file.study.study_id;
  if (kind === "permit") {
    const [notBefore, notAfter] = file.study.proposal.period as [number, number];
    return { study, rules: rulesOf(file), notBefore, notAfter, submitBy: drafted.submitBy };
  }
  return kind === "suspend" || kind === "resume" ? { study, round: file.chain?.round ?? 0 } : { study };
}

/** The hash that is signed. Raises DraftDiffers unless the draft says what the page shows, all of it and no more. */
export function requireCommand(typed: TypedData, file: File, kind: Kind, nowMs = Date.now()): string {
  const [primaryType, members] = COMMANDS[kind];
  const message = messageOf(file, kind, typed.message);
  if (
    !isWholeText(file) ||
    typed.primaryType !== primaryType ||
    typed.domain.name !== DOMAIN ||
    !isSoon(message.submitBy, nowMs) ||
    structHash(typed) !== hashStruct({ data: message, primaryType, types: { [primaryType]: members } })
  ) {
    throw new DraftDiffers();
  }
  return hashTypedData(typed as never);
}

function structHash(typed: TypedData): string | null {
  try {
    return idOf(typed);
  } catch {
    return null; // not even of its own types
  }
}

function isSoon(submitBy: unknown, nowMs: number): boolean {
  const left = Number(submitBy) - nowMs / 1000;
  return submitBy === undefined || (left > 0 && left <= LONGEST_SECONDS);
}
