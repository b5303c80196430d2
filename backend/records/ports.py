"""What the record service needs: an index of versions, a ledger of commitments, public keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from backend.consent.ledger_types import Receipt
from backend.consent.member_registry import Hindrance
from backend.records.sealing import RecipientKey
from backend.types import Address, Bytes32, MemberId, RecordId, SubjectId, UnixSeconds


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
        self,
        subject: SubjectId,
        *,
        after: tuple[UnixSeconds, RecordId] | None = None,
        limit: int | None = None,
    ) -> list[VersionRow]:
        """Current versions of a subject by (created_at, record id), oldest first; all without a limit."""

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


class CommitmentLedger(Protocol):
    """Record commitments on the chain."""

    def commit_records(self, commitments: Sequence[Bytes32]) -> Receipt:
        """Record them; those already recorded by this custodian are passed over. Final on return."""

    def committed(self, commitments: Sequence[Bytes32]) -> Sequence[bool]:
        """Whether each commitment of this custodian stands on the chain and is not withdrawn. Immutable once
        true, except by a withdrawal of this custodian."""


class RecipientKeys(Protocol):
    """Public keys that data may be sealed to, compared with the chain at every call.

    Raise LedgerUnavailable, IndexUnavailable, and RecipientKeyLost where the chain names a key whose bytes
    the index does not have: that is damage, and never "no key".
    """

    def of_subject(self, subject: SubjectId) -> RecipientKey | None:
        """Return the patient's own key; None where none is bound or it was withdrawn."""

    def of_member(self, member: MemberId) -> RecipientKey | None:
        """Return an organisation's key; None where the registry names none, or the member is not active."""


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whose public key it is."""

    id: SubjectId | MemberId

    def __str__(self) -> str:
        return f"subject/{self.id:024x}" if isinstance(self.id, int) else f"member/{self.id.hex()}"


class PublicKeyStore(Protocol):
    """The bytes of public keys, by holder and hash. All raise IndexUnavailable; writes are durable."""

    def put(self, holder: KeyHolder, key_hash: bytes, encoded: bytes) -> None:
        """Keep a key. The same again does nothing."""

    def get(self, holder: KeyHolder, key_hash: bytes) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class MemberCredential:
    """A member's entry in the registry of participants, as an amendment sets it. ``account`` may be zero."""

    account: Address
    roles: int
    expiry: UnixSeconds
    credential_hash: Bytes32
    key_hash: Bytes32


class MemberKeyRegistry(Protocol):
    """Members' key hashes. All raise LedgerUnavailable in doubt, a Conflict where the contract refuses for
    good."""

    def key_hash(self, member: MemberId) -> Bytes32 | None:
        """Return what an active member has in the final block and at the head; None for any other."""

    def credential(self, member: MemberId) -> MemberCredential | None:
        """Return the entry at the head; None for one that was never admitted or was removed."""

    def amend(self, member: MemberId, credential: MemberCredential) -> Hindrance | None:
        """Replace the entry, or say why that cannot be done yet."""

    def announce(self, member: MemberId, credential: MemberCredential) -> UnixSeconds:
        """Begin the registry's delay, unless it has begun; return when the entry may be replaced."""

    def withdraw(self, member: MemberId, credential: MemberCredential) -> None:
        """Take the announcement back, if there is one."""
