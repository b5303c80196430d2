"""Who may have a patient's data erased: the patient or a guardian, and never a mere delegate."""

from __future__ import annotations

from collections.abc import Callable

from backend.consent.evidence import EvidenceBook
from backend.consent.terms import Delegation, Kind
from backend.types import Address, SubjectId


class MayErase:
    def __init__(self, *, evidence: EvidenceBook, clock: Callable[[], int]) -> None:
        self._evidence = evidence
        self._clock = clock

    def __call__(self, account: Address, subject: SubjectId) -> bool:
        """Whether the account controls the subject or is its guardian now. Raises LedgerUnavailable."""
        gathered = self._evidence.gather(subject)
        if gathered.head.opened and gathered.head.controller.lower() == account.lower():
            return True
        now = self._clock()
        return any(
            isinstance(document, Delegation)
            and document.kind == Kind.GUARDIANSHIP
            and document.delegate.lower() == account.lower()
            and item.head.is_recorded
            and not item.head.revoked_at
            and not item.revocation_pending
            and document.not_before <= now < document.not_after
            for item in gathered.evidence
            for document in (item.prepared.document,)
        )
