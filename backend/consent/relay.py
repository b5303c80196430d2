"""What the consent services ask of the chain when something is to be recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backend.consent.ledger_types import Receipt
from backend.consent.terms import Delegation, Document, OpenSubject
from backend.types import Address, ConsentId, SubjectId


class ConsentRelay(Protocol):
    """Relays signed commands. Each method returns when the transaction is in a block, and raises
    LedgerRejected with the contract's reason when it can never be, LedgerUnavailable when it is not known.

    ``via`` is the chain of delegations from the signer's own up to the one the controller gave.
    """

    def record(self, document: Document, signature: bytes, *, via: Sequence[Delegation]) -> Receipt:
        """Record a grant or delegation."""

    def receipt_of(self, document: Document) -> Receipt | None:
        """Return the receipt of the transaction that recorded it, as the chain has it now."""

    def revoke(self, consent: ConsentId, signature: bytes, *, via: Sequence[Delegation]) -> Receipt:
        """Revoke a recorded consent or delegation."""

    def revoke_ahead(self, document: Document, signature: bytes, *, via: Sequence[Delegation]) -> Receipt:
        """Revoke a grant or delegation that is not recorded, so that it never will be."""

    def revoke_all(
        self, subject: SubjectId, epoch: int, signature: bytes, *, via: Sequence[Delegation]
    ) -> Receipt: ...

    def open_subject(self, command: OpenSubject, signature: bytes) -> Receipt: ...

    def open_subject_under_guardian(self, guardianship: Delegation, signature: bytes) -> Receipt: ...

    def end_guardianship(self, guardianship: ConsentId) -> Receipt:
        """End a guardianship of a subject without controller, as the custodian that opened it."""

    def is_valid_signature(self, account: Address, digest: bytes, signature: bytes) -> bool:
        """Ask a contract wallet (ERC-1271); False for an account without code."""
