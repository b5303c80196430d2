"""Permits of studies on the chain.

Implements ``research.ports.PermitReader`` and ``api.services.PermitRelay``.
"""

from __future__ import annotations

from collections.abc import Callable

from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.membership import StudyLedger
from backend.adapters.ledger.studies import Approval
from backend.consent.ledger_types import Receipt
from backend.consent.member_terms import PermitStudy
from backend.research.types import Permit, StudyId
from backend.types import Address, Bytes32


class LedgerPermits:
    """Reads and records them."""

    def __init__(self, *, chain: Chain, studies: StudyLedger, clock: Callable[[], int]) -> None:
        self._chain = chain
        self._studies = studies
        self._clock = clock

    def permit(self, study: StudyId) -> Permit | None:
        """Return the study's permit; live only where both views of the chain say so."""
        block = self._chain.view().final_number
        state = self._studies.study(Bytes32(study))
        if not state.not_after:
            return None
        return Permit(
            proposal_digest=bytes(state.rules),
            not_before=state.not_before,
            not_after=state.not_after,
            is_live=self._studies.is_permitted(Bytes32(study), state.rules, now=self._clock()),
            block=block,
        )

    def record(self, permit: PermitStudy, board: Address, signature: bytes) -> Receipt:
        """Put a board member's signed permit on the chain. Raises LedgerRejected, LedgerUnavailable."""
        return self._studies.permit_study(permit, [Approval(board, signature)])
