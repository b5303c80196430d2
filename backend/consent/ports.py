"""What the decision needs from outside. A failure to answer raises LedgerUnavailable: never a guess."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from backend.consent.ledger_types import Facts, LedgerView, SubjectEvidence
from backend.types import BlockNumber, ConsentId, MemberId, SubjectId


class Ledger(Protocol):
    """The chain, read at a named block."""

    def view(self) -> LedgerView:
        """Return the newest head and the newest final block. Staleness is judged by the caller."""

    def evidence(
        self, subject: SubjectId, ids: Sequence[ConsentId], *, block: BlockNumber
    ) -> SubjectEvidence:
        """Return the subject and one slot per id, in the order of ``ids``, as they stood at ``block``."""

    def facts(
        self,
        subject: SubjectId,
        ids: Sequence[ConsentId],
        members: Collection[MemberId],
        *,
        block: BlockNumber,
    ) -> Facts:
        """``evidence``, and where each of the members stood at ``block``."""
