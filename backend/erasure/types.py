"""What is to be erased, why, and how far it has got. Times are unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from backend.audit.entry import Agent
from backend.keystore import KeyName
from backend.records.blocks import Cid
from backend.types import Bytes32, LogIndex, RecordId, SubjectId, UnixSeconds

MAX_GRACE_HOURS: Final = 720


class Cause(StrEnum):
    """Why something is erased (GDPR, Article 17(1), in codes)."""

    PATIENT_REQUEST = "patient_request"  # by the patient, or the guardian
    WRITTEN_REQUEST = "written_request"  # by the patient in writing; a privacy officer checked it
    UNLAWFUL_PROCESSING = "unlawful_processing"
    LEGAL_OBLIGATION = "legal_obligation"  # a law or a court demands it
    RETENTION = "retention"  # the time for which it is kept is over


class State(StrEnum):
    LOCKED = "locked"  # nobody gets it; it can still be cancelled
    CANCELLED = "cancelled"
    DESTROYING = "destroying"
    ERASED = "erased"


class HoldReason(StrEnum):
    """Why something must be kept (GDPR, Article 17(3), in codes)."""

    LEGAL_OBLIGATION = "legal_obligation"
    LEGAL_CLAIMS = "legal_claims"
    COURT_ORDER = "court_order"
    PUBLIC_HEALTH = "public_health"


@dataclass(frozen=True, slots=True)
class Scope:
    """Some records of a person with all their versions, or with ``records`` empty the whole person."""

    subject: SubjectId
    records: tuple[RecordId, ...] = ()

    @property
    def is_person(self) -> bool:
        return not self.records

    @property
    def subject_hex(self) -> str:
        """24 hex digits, as the index writes a subject id."""
        return f"{self.subject:024x}"

    @property
    def locks(self) -> tuple[RecordId | None, ...]:
        """What the queue of restrictions hides: records, or with None the person."""
        return self.records or (None,)

    def covers(self, other: Scope) -> bool:
        """Whether all of the other is a part of this one."""
        if self.subject != other.subject or self.is_person:
            return self.subject == other.subject
        return not other.is_person and set(self.records) >= set(other.records)

    def touches(self, other: Scope) -> bool:
        """Whether what one destroys is a part of the other."""
        if self.subject != other.subject:
            return False
        return self.is_person or other.is_person or not set(self.records).isdisjoint(other.records)


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants what erased. ``evidence``: SHA-256 in hex of the written request, where there is one.

    ``by`` is kept for the log only; it is not in the row that stays.
    """

    scope: Scope
    cause: Cause
    by: Agent
    grace_seconds: int
    evidence: str = ""
    rule: str = ""  # of the retention rule that it comes from


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """One erasure. It stays when everything else is gone, so that a restored backup can be told.

    ``receipt_hash``: keyed hash, in hex, of the code that gives the receipt. ``destroyed``: how many of each
    class. ``entry``: of the audit log, that says it is done.
    """

    erasure_id: str  # 32 hex digits
    scope: Scope
    cause: Cause
    state: State
    requested_at: UnixSeconds
    due_at: UnixSeconds
    receipt_hash: str = field(repr=False)
    evidence: str = ""
    rule: str = ""
    ended_at: UnixSeconds | None = None  # cancelled or erased
    destroyed: Mapping[str, int] = field(default_factory=dict)
    entry: LogIndex | None = None


@dataclass(frozen=True, slots=True)
class HoldRow:
    """Something that must be kept ``until`` then, whoever asks for its erasure.

    ``signed`` is the reason as the custodian signed it (JSON), sealed under the person's key.
    """

    hold_id: str  # 32 hex digits
    scope: Scope
    reason: HoldReason
    placed_at: UnixSeconds
    until: UnixSeconds
    signed: bytes = field(repr=False)
    lifted_at: UnixSeconds | None = None

    def holds(self, now: int) -> bool:
        return self.lifted_at is None and now < self.until


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that has to go, found before anything goes: afterwards nobody could tell any more."""

    keys: tuple[KeyName, ...]
    commitments: tuple[Bytes32, ...]
    roots: tuple[Cid, ...]  # of pinned blobs
    counts: Mapping[str, int]  # by class
