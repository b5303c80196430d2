"""What the decision needs from outside. A failure to answer raises LedgerUnavailable: never a guess."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from backend.consent.key_terms import AllowMediated, BindKey, WithdrawKey
from backend.consent.ledger_types import BoundKey, Facts, LedgerView, Receipt, SubjectEvidence
from backend.consent.relay import ConsentRelay
from backend.consent.typed_data import Domain
from backend.types import BlockNumber, ConsentId, MemberId, SubjectId


class Ledger(Protocol):
    """The chain, read at a named block."""

    def view(self) -> LedgerView:
        """Return the newest head and the newest final block. Raise LedgerUnavailable where nothing may be
        permitted now."""

    def shown(self) -> LedgerView:
        """Return the same of whatever is shown now: to restrict by, never to permit. Raise LedgerUnavailable
        where nothing answers."""

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


class FormerRegistry(Ledger, ConsentRelay, Protocol):
    """A contract that another one succeeded: asked as it is today, and told stops that were signed for it."""

    @property
    def domain(self) -> Domain:
        """What is signed for it is signed for."""


class SubjectKeys(Protocol):
    """The encryption keys that patients bound on the chain (``contracts/interfaces/IKeyRegistry.sol``).

    All raise LedgerUnavailable in doubt.
    """

    def key_of(self, subject: SubjectId) -> BoundKey | None:
        """Return the key that counts: bound in the final block, and neither replaced, withdrawn nor without
        its controller at the head. None where there is none."""

    def last_number(self, subject: SubjectId) -> int:
        """Return the number of the last binding or withdrawal at the head; 0 where there was none."""

    def bind(self, command: BindKey, signature: bytes) -> Receipt:
        """Relay it; one that was recorded before returns the receipt of that time. Final on return. Raise
        LedgerRejected where it can never be recorded."""

    def withdraw(self, command: WithdrawKey, signature: bytes) -> Receipt:
        """Relay it. A stale one changes nothing and is no error."""

    def require_mediated(self, command: AllowMediated, signature: bytes) -> None:
        """Raise LedgerRejected unless, in the final block and at the head, the controller signed it for the
        key that counts and its last second is not over."""
