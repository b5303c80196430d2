"""What became of a signed document: when it was received, and where it stands on the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from backend.consent.evidence_store import ConsentIndex, ConsentRow
from backend.consent.terms import Document
from backend.consent.typed_data import Domain, consent_id
from backend.types import Address, BlockNumber, Bytes32, ConsentId, SubjectId, UnixSeconds


class Change(StrEnum):
    RECEIVED = "received"  # by this custodian; a deny counts from here
    RECORDED = "recorded"  # on the chain; a permit counts once that block is final
    REVOKED = "revoked"
    REVOKED_WITH_ALL = "revoked_with_all"  # by a revoke-all of the epoch it was signed in


@dataclass(frozen=True, slots=True)
class Step:
    """One change. ``at`` is None where neither we nor the event noted a time; the block has one. ``contract``
    is what has the event, of those that succeeded one another."""

    change: Change
    at: UnixSeconds | None = None
    block: BlockNumber | None = None
    transaction: Bytes32 | None = None
    contract: Address | None = None


class LedgerHistory(Protocol):
    def history(self, document: Document) -> Sequence[Step]:
        """Return what the chain's events say of a document, in their order. Raises LedgerUnavailable."""

    def time_of(self, block: BlockNumber) -> UnixSeconds:
        """Return when a block was made. Raises LedgerUnavailable."""

    def domain_of(self, document: Document) -> Domain:
        """Return the domain of the contract that recorded it; of the one that counts where none has."""


class HistoryService:
    """Tells those whom a document concerns; who that is, the caller has checked."""

    def __init__(self, *, index: ConsentIndex, ledger: LedgerHistory) -> None:
        self._index = index
        self._ledger = ledger

    def rows(self, subject: SubjectId) -> Mapping[ConsentId, ConsentRow]:
        """Return the index's rows of a subject. Raises IndexUnavailable."""
        return {row.consent_id: row for row in self._index.of_subject(subject)}

    def of(self, document: Document) -> tuple[Step, ...]:
        """Return every change of one document, oldest first. Raises IndexUnavailable, LedgerUnavailable."""
        row = self._index.get(consent_id(document))
        received = () if row is None else (Step(Change.RECEIVED, at=row.received_at),)
        return (*received, *self._ledger.history(document))

    def domain_of(self, document: Document) -> Domain:
        """Return what a document's signature is for. Raises LedgerUnavailable."""
        return self._ledger.domain_of(document)

    def dated(self, document: Document) -> tuple[Step, ...]:
        """Return the same with a time for each change: the event's, or that of its block."""
        return tuple(
            replace(step, at=self._ledger.time_of(step.block))
            if step.at is None and step.block is not None
            else step
            for step in self.of(document)
        )
