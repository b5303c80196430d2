/** The roles that may be given here, as the API takes them. */
import type { Schemas } from "../api/client";
import { asList } from "../format/time";
import { texts } from "../texts";

export type Role = Schemas["MemberBody"]["roles"][number];

/** Of organisations on the ledger; patients and the custodian's staff are none. */
export const MEMBER_ROLES: readonly Role[] = [
  "provider",
  "researcher",
  "ethics_board",
  "auditor",
  "responder",
  "device_gateway",
];

export const STAFF_ROLES: readonly Role[] = [
  "provider",
  "identity_desk",
  "witness",
  "privacy_officer",
  "team_administrator",
  "operator",
  "auditor",
  "researcher",
  "ethics_board",
  "board_secretary",
  "responder",
];

export const CLIENT_ROLES: readonly Role[] = [
  "provider",
  "researcher",
  "responder",
  "device_gateway",
  "team_administrator",
  "resource_server",
];

export function roleWords(roles: readonly string[]): string {
  return asList(roles.map((role) => texts.operator.roles[role] ?? role));
}
