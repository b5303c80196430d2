"""What erasure needs of the stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from backend.erasure.types import ErasureRow, HoldRow, Scope, State
from backend.keystore import KeyName
from backend.records.ports import VersionRow
from backend.types import Bytes32, LogIndex, SubjectId, UnixSeconds


class ErasureRows(Protocol):
    """Every write is durable on return. All raise IndexUnavailable."""

    def insert(self, row: ErasureRow) -> None:
        """Keep a row; one with its id that is there stays as it is."""

    def get(self, erasure_id: str) -> ErasureRow | None: ...

    def of_subject(self, subject: SubjectId) -> Sequence[ErasureRow]:
        """Oldest first."""

    def all(self) -> Sequence[ErasureRow]:
        """Every erasure there ever was, oldest first: what a restored backup has to be told."""

    def move(self, erasure_id: str, *, before: State, after: State, at: UnixSeconds | None = None) -> bool:
        """Compare and swap the state; ``at`` becomes ``ended_at``. False if it is in another state."""

    def finish(
        self, erasure_id: str, *, at: UnixSeconds, destroyed: Mapping[str, int], entry: LogIndex
    ) -> None:
        """Say that it is erased."""


class HoldRows(Protocol):
    """Every write is durable on return. All raise IndexUnavailable."""

    def insert(self, row: HoldRow) -> None: ...

    def get(self, hold_id: str) -> HoldRow | None: ...

    def of_subject(self, subject: SubjectId) -> Sequence[HoldRow]:
        """Oldest first."""

    def lift(self, hold_id: str, at: UnixSeconds) -> bool:
        """False if it was lifted before."""


class Erasable(Protocol):
    """One class of things about a person. Each method is safe to repeat."""

    name: str  # of the class, in receipts
    collections: frozenset[str]  # of the index, that it answers for

    def keys_of(self, scope: Scope) -> Iterable[KeyName]:
        """Names of secrets that have to go with it; some may not be there."""

    def count(self, scope: Scope) -> int:
        """How many there are to erase."""

    def erase(self, scope: Scope) -> None:
        """Remove them; durable on return."""


class RecordRows(Protocol):
    """The versions of records. All raise IndexUnavailable."""

    def versions(self, scope: Scope) -> Sequence[VersionRow]:
        """All versions, also those being stored."""


class Commitments(Protocol):
    def withdraw_records(self, commitments: Sequence[Bytes32]) -> None:
        """Withdraw those that stand; final on return. Raises LedgerUnavailable."""
