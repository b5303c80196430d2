"""What the record service needs: an index of versions and a ledger of commitments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from backend.consent.ledger_types import Receipt
from backend.records.sealing import RecipientKey
from backend.types import Bytes32, MemberId, RecordId, SubjectId, UnixSeconds


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of a record as the index holds it. ``manifest`` is sealed."""

    record_id: RecordId
    version: int
    subject: SubjectId
    manifest: bytes
    commitment: Bytes32
    created_at: UnixSeconds
    current: bool  # False while it is being stored and once a later version is current


class RecordIndex(Protocol):
    """Every write is durable on return and safe to repeat. All raise IndexUnavailable."""

    def put(self, row: VersionRow) -> None:
        """Add a version that is not current yet. The same row again does nothing."""

    def make_current(self, record_id: RecordId, version: int) -> None:
        """Make this version the one that is read, and every earlier one not."""

    def current(self, record_id: RecordId) -> VersionRow | None:
        """The version that is read unless another is asked for."""

    def version(self, record_id: RecordId, version: int) -> VersionRow | None: ...

    def list_current(
        self, subject: SubjectId, *, after: tuple[UnixSeconds, RecordId] | None, limit: int
    ) -> list[VersionRow]:
        """Current versions of a subject by (created_at, record id), oldest first."""

    def everything(self) -> Sequence[VersionRow]:
        """All rows, for ``fsck``."""


class SlotRow(NamedTuple):
    """One patient's slot table of one kind. ``name`` is blind and ``sealed`` is encrypted."""

    name: str  # 64 hexadecimal digits
    subject: SubjectId
    revision: int  # from 1
    sealed: bytes


class SlotIndex(Protocol):
    """Every write is durable on return. All raise IndexUnavailable."""

    def find(self, name: str) -> SlotRow | None: ...

    def replace(self, row: SlotRow) -> bool:
        """Write a table whose revision is one above the stored one's, 1 where there is none; False when the
        stored one is another, and then nothing was written."""

    def of_subject(self, subject: SubjectId) -> Sequence[SlotRow]: ...

    def erase_subject(self, subject: SubjectId) -> int:
        """Delete all tables of a patient; return how many there were."""

    def everything(self) -> Sequence[SlotRow]:
        """All rows, for ``fsck``."""


class RecipientKeys(Protocol):
    """Public keys that segments are sealed to, each checked against its hash on the chain at every use.

    Raise IndexUnavailable, LedgerUnavailable, and an IntegrityError for a key that is not that of the chain.
    """

    def of_subject(self, subject: SubjectId) -> RecipientKey | None:
        """Return the key that the patient's wallet bound, None where there is none now."""

    def of_member(self, member: MemberId) -> RecipientKey | None:
        """Return the key that the registry names for an organisation, None where there is none."""


class CommitmentLedger(Protocol):
    """Record commitments on the chain."""

    def commit_records(self, commitments: Sequence[Bytes32]) -> Receipt:
        """Record them; those already recorded by this custodian are passed over. Final on return."""

    def committed(self, commitment: Bytes32) -> bool:
        """Whether this custodian's commitment stands on the chain and is not withdrawn. Immutable once true,
        except by a withdrawal of this custodian."""
