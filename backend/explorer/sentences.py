"""What each event says, as one sentence. Nothing is added to what the event itself carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from backend.consent.ledger_types import (
    NOBODY,
    TimedEvent,
    unpack_consent_slot,
    unpack_subject_slot,
)
from backend.explorer.wording import (
    KINDS,
    KINDS_OF,
    POLICIES,
    Arguments,
    called,
    iso,
    refusal,
    role_names,
    until,
)
from backend.types import subject_text, to_hex

_MANAGER_ROLES: Final = {0: "administrator", 1: "admission", 2: "suspension", 2**64 - 1: "public"}


def says(timed: TimedEvent) -> str:
    """Return the event as one sentence."""
    event = timed.event
    kinds = KINDS_OF[event.contract, event.name]
    words = {name: _word(name, kind, event.arguments[name]) for name, kind in kinds}
    derive = _DERIVED.get(event.name)
    return SENTENCES[event.contract][event.name].format(
        **words, **(derive(event.arguments) if derive else {})
    )


def _word(name: str, kind: str, value: Any) -> str:
    match name, kind:
        case "subject", _:
            return subject_text(value)
        case "roles", _:
            return role_names(value)
        case "policy", "uint8":
            return POLICIES.get(value, str(value))
        case _, "uint64" if name in ("roleId", "admin", "guardian"):
            return f"role {value} ({_MANAGER_ROLES[value]})" if value in _MANAGER_ROLES else f"role {value}"
        case "selector" | "data", _:
            return called(value)
        case "reason", "bytes":
            return refusal(value)
        case "label", _:
            return repr(value)
        case _, "uint40" | "uint48":
            return iso(value)
        case _, "address[]":
            return ", ".join(value)
    return to_hex(value) if isinstance(value, bytes) else str(value)


def _slot(given: Arguments) -> Mapping[str, str]:
    found = unpack_consent_slot(given["slot"])
    window = f"from {iso(found.not_before)} {until(found.not_after)}"
    used = any(given.get("delegation", b""))
    return {
        "kind": KINDS.get(found.kind, f"entry of kind {found.kind}"),
        "window": window,
        "used": f", given under delegation {to_hex(given['delegation'])}" if used else "",
    }


def _consent_adopted(given: Arguments) -> Mapping[str, str]:
    found = unpack_consent_slot(given["slot"])
    how = _slot(given)
    return {**how, "how": f"revoked {iso(found.revoked_at)}" if found.revoked_at else how["window"]}


def _subject_adopted(given: Arguments) -> Mapping[str, str]:
    found = unpack_subject_slot(given["slot"])
    return {
        "whose": _whose(found.controller.lower()),
        "epoch": str(found.epoch),
        "number": "1 document" if found.count == 1 else f"{found.count} documents",
    }


def _whose(controller: str) -> str:
    return "under guardians" if controller == NOBODY else f"with controller {controller}"


def _member(given: Arguments) -> Mapping[str, str]:
    return {
        "whose": "no account" if given["account"] == NOBODY else f"account {given['account']}",
        "end": until(given["credentialExpiry"]),
    }


def _opening(given: Arguments) -> Mapping[str, str]:
    also = any(given["countersigner"])
    return {
        "also": f", countersigned by {to_hex(given['countersigner'])}" if also else "",
        "when": ", recorded late" if given["late"] else "",
    }


_DERIVED: Final[Mapping[str, Callable[[Arguments], Mapping[str, str]]]] = {
    "TargetClosed": lambda given: {"done": "closed" if given["closed"] else "opened again"},
    "MemberAdmitted": _member,
    "MemberAmended": _member,
    "SubjectOpened": lambda given: {"whose": _whose(given["controller"])},
    "ConsentGranted": _slot,
    "DelegationRecorded": _slot,
    "ConsentRevokedAhead": _slot,
    "ConsentAdopted": _consent_adopted,
    "SubjectAdopted": _subject_adopted,
    "RecoveryStepped": lambda given: {
        "next": "another controller is proposed" if given["proposed"] else "no recovery is pending"
    },
    "RecoveryProposed": lambda given: {
        "also": "" if given["desk"] == NOBODY else f" and the identity desk {given['desk']}"
    },
    "EscrowFunded": lambda given: {"funder": given["terms"][2], "token": given["terms"][3]},
    "StudyPermitted": lambda given: {"end": until(given["notAfter"])},
    "EmergencyOpened": _opening,
}
_DOMAIN: Final = {"EIP712DomainChanged": "the domain of signatures changed"}

SENTENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "AccessManager": {
        "OperationScheduled": (
            "operation {operationId} announced by {caller}: {data} on {target}, from {schedule}"
        ),
        "OperationExecuted": "operation {operationId} carried out",
        "OperationCanceled": "operation {operationId} called off",
        "RoleLabel": "{roleId} named {label}",
        "RoleGranted": "{roleId} given to {account} from {since}, its calls wait {delay} s",
        "RoleRevoked": "{roleId} taken from {account}",
        "RoleAdminChanged": "{roleId} is now managed by {admin}",
        "RoleGuardianChanged": "announced calls of {roleId} may now be called off by {guardian}",
        "RoleGrantDelayChanged": "{roleId} counts {delay} s after it is given, from {since}",
        "TargetFunctionRoleUpdated": "function {selector} of {target} now needs {roleId}",
        "TargetAdminDelayUpdated": "changes to the rules of {target} wait {delay} s, from {since}",
        "TargetClosed": "{target} {done}",
    },
    "ParticipantRegistry": {
        "AuthorityUpdated": "access is managed by {authority}",
        "MemberAdmitted": "member {member} admitted: {whose}, {roles}, credential {end}",
        "MemberAmended": "member {member} amended: {whose}, {roles}, credential {end}",
        "MemberRolesReduced": "member {member} keeps {roles}",
        "MemberSuspended": "member {member} suspended",
        "MemberReinstated": "member {member} reinstated",
        "MemberRemoved": "member {member} removed for good",
    },
    "ConsentRegistry": {
        "SubjectOpened": "subject {subject} opened {whose} by custodian {member}",
        "ConsentGranted": "{kind} {id} of subject {subject} recorded, {window}{used}",
        "DelegationRecorded": "{kind} {id} of subject {subject} to {delegate} recorded, {window}",
        "ConsentRevoked": "{id} of subject {subject} revoked",
        "ConsentRevokedAhead": "{kind} {id} of subject {subject} revoked before it was recorded",
        "AllRevoked": "subject {subject} revoked everything: epoch {epoch} begins",
        "DelegationEndedForCause": (
            "delegation {id} of subject {subject} ended for cause, with every permit given under it"
        ),
        "RecoveryStepped": "subject {subject} is controlled by {controller}, {next}",
        "GrantRejected": "grant {id} of subject {subject} left out of its batch: {reason}",
        "RevocationRejected": "revocation of {id} left out of its batch: {reason}",
        "ConsentAdopted": "{kind} {id} of subject {subject} taken over from the registry before, {how}{used}",
        "SubjectAdopted": (
            "subject {subject} taken over from the registry before, {whose}, in epoch {epoch} with {number} "
            "ever recorded, opened by custodian {member}"
        ),
        **_DOMAIN,
    },
    "Recovery": {
        "RecoveryPolicySet": "recovery policy of subject {subject} set",
        "RecoveryProposed": "recovery of subject {subject} to {controller} proposed by guardians{also}",
        "RecoveryVetoed": "recovery of subject {subject} vetoed",
        "RecoveryCompleted": "recovery of subject {subject} completed: {controller} controls it",
        "RecoveryAdopted": (
            "recovery policy, round and veto of subject {subject} taken over from the contract before"
        ),
        **_DOMAIN,
    },
    "RecordRegistry": {
        "RecordCommitted": "record version {commitment} committed by {custodian}",
        "RecordWithdrawn": "record version {commitment} withdrawn by {custodian}",
        "RecordTransferred": (
            "record version {commitment} passed from {from} to {to}, committed since {committedAt}"
        ),
        "CustodyTransferred": "transfer {transfer} from {from} to {to} made",
        **_DOMAIN,
    },
    "AuditAnchor": {
        "CheckpointAnchored": "log {logId} of custodian {custodian} anchored: {size} entries, root {root}",
        "CheckpointCosigned": "log {logId} cosigned by witness {witness}: {size} entries, root {root}",
        "ForkReported": (
            "log {logId} of custodian {custodian} is forked: it signed {size} entries with root {root} and "
            "{otherSize} entries with root {otherRoot}"
        ),
        **_DOMAIN,
    },
    "ResearchMarket": {
        "StudyPermitted": "study {study} permitted from {notBefore} {end} under rules {rules}, by {members}",
        "StudyRefused": "study {study} refused by {members}",
        "StudySuspended": "study {study} suspended by {boardMember}",
        "StudyResumed": "study {study} resumed by {members}",
        "StudyRevoked": "study {study} revoked by {members}",
        "DonationNamed": "{account} named for donations by {members}",
        "EscrowFunded": "escrow {escrow} of study {study} received {received} of token {token} from {funder}",
        "EscrowReleased": "escrow {escrow} released by its custodian",
        "EscrowRefunded": "escrow {escrow} paid {amount} back to {to}",
        "ResultCommitted": "result {result} of study {study} committed by custodian {custodian}",
        "PayoutProposed": (
            "payout {round} of {total} from escrow {escrow} proposed (attempt {attempt}), open from "
            "{opensAt} until {closesAt}"
        ),
        "PayoutObjected": (
            "payout {round} objected to by {objector}, now open from {opensAt} until {closesAt}"
        ),
        "PayoutUpheld": "payout {round} upheld by {members}, open until {closesAt}",
        "PayoutRejected": "payout {round} of {total} rejected by {members}",
        "PaymentClaimed": "payment {index} of payout {round} made: {amount} to {account}",
        "ClaimRejected": "payment {index} of payout {round} left out of its batch: {reason}",
        "PayoutClosed": "payout {round} over, {unclaimed} unclaimed back in its escrow",
        **_DOMAIN,
    },
    "EmergencyAccess": {
        "EmergencyOpened": (
            "emergency opening {opening} of subject {subject} by responder {member}, from {openedAt} until "
            "{expiresAt}{also}{when}"
        ),
        "EmergencyClosed": "emergency opening {opening} closed by {closer}",
        "EmergencyReviewed": "emergency opening {opening} reviewed by {reviewer}, finding {finding}",
        "EmergencyPolicySet": "subject {subject} set its emergency policy to {policy}",
        **_DOMAIN,
    },
    "KeyRegistry": {
        "KeyBound": "key {keyHash} bound to subject {subject} as number {sequence}, by {controller}",
        "KeyWithdrawn": "every key of subject {subject} up to number {sequence} withdrawn by {controller}",
        **_DOMAIN,
    },
}
