"""What a decision is made from and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from backend.consent.ledger_types import ConsentSlot, LedgerView, Membership, SubjectEvidence
from backend.consent.prepared import Prepared
from backend.consent.terms import BEGINNING, UNBOUNDED
from backend.consent.uses import UNUSED, Taken
from backend.types import (
    Address,
    BlockNumber,
    Bytes32,
    ConsentId,
    MemberId,
    QueuePosition,
    RecordId,
    SubjectId,
    UnixSeconds,
)

DEPENDENTS_TAIL: Final = bytes(15) + b"\x01"


class Answer(StrEnum):
    """The four answers. Only PERMIT lets anything through; UNAVAILABLE is not a refusal."""

    PERMIT = "permit"
    DENY = "deny"
    NO_CONSENT = "no_consent"
    UNAVAILABLE = "unavailable"


class Reason(StrEnum):
    """Stable reason codes. For the patient and the auditor, never for the requester (invariant 10)."""

    # of a whole decision
    PERMITTED = "permitted"
    OWN_RECORDS = "own_records"
    DELEGATED_READING = "delegated_reading"
    DENIED = "denied"
    NO_PERMIT = "no_permit"
    OBLIGATION_UNFULFILLED = "obligation_unfulfilled"
    EVIDENCE_INCOMPLETE = "evidence_incomplete"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    SUBJECT_UNKNOWN = "subject_unknown"
    REQUESTER_UNRESOLVED = "requester_unresolved"
    REQUESTER_NOT_IN_STANDING = "requester_not_in_standing"
    EMERGENCY_PATH_ONLY = "emergency_path_only"
    # of one consent: it counts
    PERMITS = "permits"
    DENIES = "denies"
    EXEMPTS = "exempts"  # a deny does not apply here
    # of one consent: it does not count at this moment
    NOT_FINAL = "not_final"
    NOT_RECORDED = "not_recorded"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REVOCATION_PENDING = "revocation_pending"
    EPOCH_ENDED = "epoch_ended"
    USES_EXHAUSTED = "uses_exhausted"
    FREQUENCY_EXHAUSTED = "frequency_exhausted"
    ERASE_BY_PASSED = "erase_by_passed"
    OTHER_SUBJECT = "other_subject"
    SLOT_MISMATCH = "slot_mismatch"
    BEYOND_DELEGATION = "beyond_delegation"
    REFUSAL = "refusal"
    POWER_MISSING = "power_missing"
    PARENT_ENDED = "parent_ended"
    # of one consent: it does not speak about this
    OTHER_GRANTEE = "other_grantee"
    GRANTEE_NOT_IN_STANDING = "grantee_not_in_standing"
    OTHER_PURPOSE = "other_purpose"
    OTHER_ACTION = "other_action"
    OTHER_CATEGORY = "other_category"
    OTHER_SENSITIVITY = "other_sensitivity"
    OTHER_DATA_PERIOD = "other_data_period"


class Dimension(StrEnum):
    """In what a consent or a rule can fail to be about what is asked."""

    GRANTEE = "grantee"
    PURPOSE = "purpose"
    ACTION = "action"
    CATEGORY = "category"
    SENSITIVITY = "sensitivity"
    DATA_PERIOD = "data_period"
    REFERENCE = "reference"  # of rules alone


class Team(NamedTuple):
    """A care team the requester is in, and the organisation that it stands and falls with.

    ``organisation`` is None when it is in the team no more, or the team is closed: what consents forbid or
    demand of the team still holds, and nothing is permitted by it.
    """

    team: MemberId
    organisation: MemberId | None


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks: a member with the organisations and care teams it acts for now, or the account of a patient
    or delegate."""

    actor: MemberId | None = None
    organisations: tuple[MemberId, ...] = ()
    account: Address | None = None
    teams: tuple[Team, ...] = ()

    @property
    def members(self) -> tuple[MemberId, ...]:
        """The ids whose standing a decision about this requester needs."""
        own = self.organisations if self.actor is None else (self.actor, *self.organisations)
        if not self.teams:
            return own
        return tuple(dict.fromkeys((*own, *(one.organisation for one in self.teams if one.organisation))))

    @property
    def names(self) -> tuple[MemberId, ...]:
        """The ids by which a consent can name this requester."""
        own = self.organisations if self.actor is None else (self.actor, *self.organisations)
        return (*own, *(one.team for one in self.teams)) if self.teams else own


@dataclass(frozen=True, slots=True)
class Segment:
    """The data asked for. Masks as in ``tables``; ``sensitivities`` zero is normal confidentiality.

    The data is from ``data_from <= t < data_to``; times before 1970 are taken as 1970, and the defaults say
    that the time is unknown, which only a permit without limits of time covers. ``references`` are the ids
    that a rule may name: ``reference_of_record``, ``dependents_of_record`` of it and of each record it was
    stored as related to, and the member id of the author.
    """

    categories: int
    sensitivities: int
    data_from: UnixSeconds = BEGINNING
    data_to: UnixSeconds = UNBOUNDED
    references: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One signed document with what the chain says of it, and the uses already made of it."""

    prepared: Prepared
    final: ConsentSlot
    head: ConsentSlot
    revocation_pending: bool = False
    taken: Taken = UNUSED


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """Everything a decision depends on. ``purpose`` and ``action`` have exactly one bit set.

    ``view`` is None when the chain could not be read, and ``stale`` says that its head is too old.
    ``ended_epoch`` is the highest epoch that an accepted revoke-all, not yet final, ends. ``members_*`` say
    where the requester's actor and organisations stand; ``suspended`` are members whose suspension or removal
    was accepted and is not on the chain yet. ``fulfils`` is the mask of obligations that the caller can carry
    out. ``tables`` is the digest of the tables in use. ``evidence`` that is an ``EvidenceSet`` already
    needs no indexing for each decision.
    """

    subject: SubjectId
    requester: Requester
    purpose: int
    action: int
    segment: Segment
    now: UnixSeconds
    view: LedgerView | None
    final: SubjectEvidence
    head: SubjectEvidence
    evidence: tuple[Evidence, ...]
    queue_position: QueuePosition
    members_final: Mapping[MemberId, Membership] = field(default_factory=dict)
    members_head: Mapping[MemberId, Membership] = field(default_factory=dict)
    suspended: frozenset[MemberId] = frozenset()
    fulfils: int = 0
    ended_epoch: int | None = None
    stale: bool = False
    tables: str = ""


class Finding(NamedTuple):
    """What one consent contributed. ``rule`` is the index of the rule that settled it, -1 for the base."""

    consent_id: ConsentId
    reason: Reason
    rule: int = -1
    obligations: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer and what an auditor needs to check it. ``consent_ids`` are those that settled it.

    ``findings`` of ``decide`` are about every consent, those of ``decide_many`` about those that name the
    requester or everyone. ``teams`` are the requester's care teams that a permission rests on.
    """

    answer: Answer
    obligations: int
    reasons: tuple[Reason, ...]
    consent_ids: tuple[ConsentId, ...]
    final_block: BlockNumber | None
    head_block: BlockNumber | None
    queue_position: QueuePosition
    findings: tuple[Finding, ...] = field(default=(), repr=False)
    tables: str = ""
    teams: tuple[MemberId, ...] = ()
    request: DecisionInput | None = field(default=None, repr=False, compare=False)  # what it was made from


def reference_of_record(record_id: RecordId) -> Bytes32:
    """Return the reference by which a rule names a record: its 16 bytes followed by 16 zero bytes."""
    return Bytes32(record_id + bytes(16))


def dependents_of_record(record_id: RecordId) -> Bytes32:
    """Return the reference by which a rule names a record with those that were stored as related to it: its
    16 bytes followed by 15 zero bytes and a one. FHIR consent-data-meaning "dependents"."""
    return Bytes32(record_id + DEPENDENTS_TAIL)
