"""What each event says, as one sentence. Nothing is added to what the event itself carries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from backend.consent.ledger_types import NOBODY, TimedEvent, unpack_consent_slot
from backend.explorer.wording import (
    KINDS,
    POLICIES,
    Arguments,
    called,
    iso,
    refusal,
    role_names,
    subject_text,
    until,
)
from backend.types import to_hex


def says(timed: TimedEvent) -> str:
    """Return the event as one sentence."""
    return SENTENCES[timed.event.contract, timed.event.name](timed.event.arguments)


def _id(value: bytes) -> str:
    return to_hex(value)


def _people(accounts: Sequence[str]) -> str:
    return ", ".join(accounts)


def _window(slot: int) -> str:
    found = unpack_consent_slot(slot)
    return f"from {iso(found.not_before)} {until(found.not_after)}"


def _kind(slot: int) -> str:
    return KINDS.get(slot >> 96 & 0xFF, "entry of unknown kind")


def _opened(a: Arguments) -> str:
    whose = "under guardians" if a["controller"] == NOBODY else f"with controller {a['controller']}"
    return f"subject {subject_text(a['subject'])} opened {whose} by custodian {_id(a['member'])}"


def _granted(a: Arguments) -> str:
    used = f", given under delegation {_id(a['delegation'])}" if any(a["delegation"]) else ""
    return f"{_kind(a['slot'])} {_id(a['id'])} of subject {subject_text(a['subject'])} recorded, {_window(a['slot'])}{used}"


def _delegated(a: Arguments) -> str:
    return (
        f"{_kind(a['slot'])} {_id(a['id'])} of subject {subject_text(a['subject'])} to {a['delegate']} recorded, "
        f"{_window(a['slot'])}"
    )


def _emergency_opened(a: Arguments) -> str:
    also = f", countersigned by {_id(a['countersigner'])}" if any(a["countersigner"]) else ""
    late = ", recorded late" if a["late"] else ""
    return (
        f"emergency opening {_id(a['opening'])} of subject {subject_text(a['subject'])} by responder "
        f"{_id(a['member'])}, from {iso(a['openedAt'])} {until(a['expiresAt'])}{also}{late}"
    )


def _member(a: Arguments, verb: str) -> str:
    account = "no account" if a["account"] == NOBODY else f"account {a['account']}"
    return (
        f"member {_id(a['member'])} {verb}: {account}, {role_names(a['roles'])}, credential "
        f"{until(a['credentialExpiry'])}"
    )


def _scheduled(a: Arguments) -> str:
    return (
        f"operation {_id(a['operationId'])} announced by {a['caller']}: {called(a['data'])} on {a['target']}, "
        f"from {iso(a['schedule'])}"
    )


def _fork(a: Arguments) -> str:
    return (
        f"log {_id(a['logId'])} of custodian {_id(a['custodian'])} is forked: it signed {a['size']} entries with root "
        f"{_id(a['root'])} and {a['otherSize']} entries with root {_id(a['otherRoot'])}"
    )


_ROLE: Final = {0: "administrator", 1: "admission", 2: "suspension", 2**64 - 1: "public"}


def _role(number: int) -> str:
    return f"role {number} ({_ROLE[number]})" if number in _ROLE else f"role {number}"


def _subject(a: Arguments) -> str:
    return subject_text(a["subject"])


SENTENCES: Final[dict[tuple[str, str], Callable[[Arguments], str]]] = {
    ("AccessManager", "OperationScheduled"): _scheduled,
    ("AccessManager", "OperationExecuted"): lambda a: f"operation {_id(a['operationId'])} carried out",
    ("AccessManager", "OperationCanceled"): lambda a: f"operation {_id(a['operationId'])} called off",
    ("AccessManager", "RoleLabel"): lambda a: f"{_role(a['roleId'])} named {a['label']!r}",
    ("AccessManager", "RoleGranted"): lambda a: (
        f"{_role(a['roleId'])} given to {a['account']} from {iso(a['since'])}, its calls wait {a['delay']} s"
    ),
    ("AccessManager", "RoleRevoked"): lambda a: f"{_role(a['roleId'])} taken from {a['account']}",
    ("AccessManager", "RoleAdminChanged"): lambda a: f"{_role(a['roleId'])} is now managed by {_role(a['admin'])}",
    ("AccessManager", "RoleGuardianChanged"): lambda a: (
        f"announced calls of {_role(a['roleId'])} may now be called off by {_role(a['guardian'])}"
    ),
    ("AccessManager", "RoleGrantDelayChanged"): lambda a: (
        f"{_role(a['roleId'])} counts {a['delay']} s after it is given, from {iso(a['since'])}"
    ),
    ("AccessManager", "TargetFunctionRoleUpdated"): lambda a: (
        f"function {called(a['selector'])} of {a['target']} now needs {_role(a['roleId'])}"
    ),
    ("AccessManager", "TargetAdminDelayUpdated"): lambda a: (
        f"changes to the rules of {a['target']} wait {a['delay']} s, from {iso(a['since'])}"
    ),
    ("AccessManager", "TargetClosed"): lambda a: f"{a['target']} {'closed' if a['closed'] else 'opened again'}",
    ("ParticipantRegistry", "AuthorityUpdated"): lambda a: f"access is managed by {a['authority']}",
    ("ParticipantRegistry", "MemberAdmitted"): lambda a: _member(a, "admitted"),
    ("ParticipantRegistry", "MemberAmended"): lambda a: _member(a, "amended"),
    ("ParticipantRegistry", "MemberRolesReduced"): lambda a: (
        f"member {_id(a['member'])} keeps {role_names(a['roles'])}"
    ),
    ("ParticipantRegistry", "MemberSuspended"): lambda a: f"member {_id(a['member'])} suspended",
    ("ParticipantRegistry", "MemberReinstated"): lambda a: f"member {_id(a['member'])} reinstated",
    ("ParticipantRegistry", "MemberRemoved"): lambda a: f"member {_id(a['member'])} removed for good",
    ("ConsentRegistry", "SubjectOpened"): _opened,
    ("ConsentRegistry", "ConsentGranted"): _granted,
    ("ConsentRegistry", "DelegationRecorded"): _delegated,
    ("ConsentRegistry", "ConsentRevoked"): lambda a: f"{_id(a['id'])} of subject {_subject(a)} revoked",
    ("ConsentRegistry", "ConsentRevokedAhead"): lambda a: (
        f"{_kind(a['slot'])} {_id(a['id'])} of subject {_subject(a)} revoked before it was recorded"
    ),
    ("ConsentRegistry", "AllRevoked"): lambda a: (
        f"subject {_subject(a)} revoked everything: epoch {a['epoch']} begins"
    ),
    ("ConsentRegistry", "DelegationEndedForCause"): lambda a: (
        f"delegation {_id(a['id'])} of subject {_subject(a)} ended for cause, with every permit given under it"
    ),
    ("ConsentRegistry", "RecoveryStepped"): lambda a: (
        f"subject {_subject(a)} is controlled by {a['controller']}"
        + (", another controller is proposed" if a["proposed"] else ", no recovery is pending")
    ),
    ("ConsentRegistry", "GrantRejected"): lambda a: (
        f"grant {_id(a['id'])} of subject {_subject(a)} left out of its batch: {refusal(a['reason'])}"
    ),
    ("ConsentRegistry", "RevocationRejected"): lambda a: (
        f"revocation of {_id(a['id'])} left out of its batch: {refusal(a['reason'])}"
    ),
    ("Recovery", "RecoveryPolicySet"): lambda a: f"recovery policy of subject {_subject(a)} set",
    ("Recovery", "RecoveryProposed"): lambda a: (
        f"recovery of subject {_subject(a)} to {a['controller']} proposed by guardians"
        + ("" if a["desk"] == NOBODY else f" and the identity desk {a['desk']}")
    ),
    ("Recovery", "RecoveryVetoed"): lambda a: f"recovery of subject {_subject(a)} vetoed",
    ("Recovery", "RecoveryCompleted"): lambda a: (
        f"recovery of subject {_subject(a)} completed: {a['controller']} controls it"
    ),
    ("RecordRegistry", "RecordCommitted"): lambda a: (
        f"record version {_id(a['commitment'])} committed by {a['custodian']}"
    ),
    ("RecordRegistry", "RecordWithdrawn"): lambda a: (
        f"record version {_id(a['commitment'])} withdrawn by {a['custodian']}"
    ),
    ("RecordRegistry", "RecordTransferred"): lambda a: (
        f"record version {_id(a['commitment'])} passed from {a['from']} to {a['to']}, committed since "
        f"{iso(a['committedAt'])}"
    ),
    ("RecordRegistry", "CustodyTransferred"): lambda a: (
        f"transfer {_id(a['transfer'])} from {a['from']} to {a['to']} made"
    ),
    ("AuditAnchor", "CheckpointAnchored"): lambda a: (
        f"log {_id(a['logId'])} of custodian {_id(a['custodian'])} anchored: {a['size']} entries, root {_id(a['root'])}"
    ),
    ("AuditAnchor", "CheckpointCosigned"): lambda a: (
        f"log {_id(a['logId'])} cosigned by witness {_id(a['witness'])}: {a['size']} entries, root {_id(a['root'])}"
    ),
    ("AuditAnchor", "ForkReported"): _fork,
    ("ResearchMarket", "StudyPermitted"): lambda a: (
        f"study {_id(a['study'])} permitted from {iso(a['notBefore'])} {until(a['notAfter'])} under rules "
        f"{_id(a['rules'])}, by {_people(a['members'])}"
    ),
    ("ResearchMarket", "StudyRefused"): lambda a: f"study {_id(a['study'])} refused by {_people(a['members'])}",
    ("ResearchMarket", "StudySuspended"): lambda a: f"study {_id(a['study'])} suspended by {a['boardMember']}",
    ("ResearchMarket", "StudyResumed"): lambda a: f"study {_id(a['study'])} resumed by {_people(a['members'])}",
    ("ResearchMarket", "StudyRevoked"): lambda a: f"study {_id(a['study'])} revoked by {_people(a['members'])}",
    ("ResearchMarket", "DonationNamed"): lambda a: (
        f"{a['account']} named for donations by {_people(a['members'])}"
    ),
    ("ResearchMarket", "EscrowFunded"): lambda a: (
        f"escrow {_id(a['escrow'])} of study {_id(a['study'])} received {a['received']} of token {a['terms'][3]} from "
        f"{a['terms'][2]}"
    ),
    ("ResearchMarket", "EscrowReleased"): lambda a: f"escrow {_id(a['escrow'])} released by its custodian",
    ("ResearchMarket", "EscrowRefunded"): lambda a: (
        f"escrow {_id(a['escrow'])} paid {a['amount']} back to {a['to']}"
    ),
    ("ResearchMarket", "ResultCommitted"): lambda a: (
        f"result {_id(a['result'])} of study {_id(a['study'])} committed by custodian {_id(a['custodian'])}"
    ),
    ("ResearchMarket", "PayoutProposed"): lambda a: (
        f"payout {_id(a['round'])} of {a['total']} from escrow {_id(a['escrow'])} proposed (attempt {a['attempt']}), "
        f"open from {iso(a['opensAt'])} {until(a['closesAt'])}"
    ),
    ("ResearchMarket", "PayoutObjected"): lambda a: (
        f"payout {_id(a['round'])} objected to by {a['objector']}, now open from {iso(a['opensAt'])}"
    ),
    ("ResearchMarket", "PayoutUpheld"): lambda a: (
        f"payout {_id(a['round'])} upheld by {_people(a['members'])}, open {until(a['closesAt'])}"
    ),
    ("ResearchMarket", "PayoutRejected"): lambda a: (
        f"payout {_id(a['round'])} of {a['total']} rejected by {_people(a['members'])}"
    ),
    ("ResearchMarket", "PaymentClaimed"): lambda a: (
        f"payment {a['index']} of payout {_id(a['round'])} made: {a['amount']} to {a['account']}"
    ),
    ("ResearchMarket", "ClaimRejected"): lambda a: (
        f"payment {a['index']} of payout {_id(a['round'])} left out of its batch: {refusal(a['reason'])}"
    ),
    ("ResearchMarket", "PayoutClosed"): lambda a: (
        f"payout {_id(a['round'])} over, {a['unclaimed']} unclaimed back in its escrow"
    ),
    ("EmergencyAccess", "EmergencyOpened"): _emergency_opened,
    ("EmergencyAccess", "EmergencyClosed"): lambda a: (
        f"emergency opening {_id(a['opening'])} closed by {a['closer']}"
    ),
    ("EmergencyAccess", "EmergencyReviewed"): lambda a: (
        f"emergency opening {_id(a['opening'])} reviewed by {_id(a['reviewer'])}, finding {_id(a['finding'])}"
    ),
    ("EmergencyAccess", "EmergencyPolicySet"): lambda a: (
        f"subject {_subject(a)} set its emergency policy to {POLICIES.get(a['policy'], a['policy'])}"
    ),
    **{
        (contract, "EIP712DomainChanged"): lambda _: "signing domain changed"
        for contract in (
            "ConsentRegistry", "Recovery", "RecordRegistry", "AuditAnchor", "ResearchMarket", "EmergencyAccess",
        )
    },
}  # fmt: skip
