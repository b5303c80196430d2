"""Permits of studies on the chain.

Implements ``research.ports.PermitReader`` and ``research.board.ports.BoardLedger``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.membership import StudyLedger
from backend.adapters.ledger.studies import Approval
from backend.adapters.ledger.wallets import is_valid_signature
from backend.consent.ledger_types import LedgerView, Receipt
from backend.consent.member_terms import PermitStudy
from backend.research.board.ports import ChainStudy
from backend.research.types import Permit, StudyId
from backend.types import Address, BlockNumber, Bytes32


class LedgerPermits:
    """Reads and records them. Every method raises LedgerUnavailable in doubt; a command LedgerRejected."""

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
            rules=bytes(state.rules),
            not_before=state.not_before,
            not_after=state.not_after,
            is_live=self._studies.is_permitted(Bytes32(study), state.rules, now=self._clock()),
            block=block,
        )

    def view(self) -> LedgerView:
        return self._chain.view()

    def state(self, study: StudyId, *, block: BlockNumber | None = None) -> ChainStudy:
        """Return the study at a block, by default the head."""
        found = self._studies.study(Bytes32(study), block=block)
        return ChainStudy(
            rules=bytes(found.rules),
            not_before=found.not_before,
            not_after=found.not_after,
            revoked_at=found.revoked_at,
            round=found.round,
            suspended=found.suspended,
        )

    def permit_study(self, permit: PermitStudy, approvals: Mapping[Address, bytes]) -> Receipt:
        return self._studies.permit_study(permit, _approvals(approvals))

    def refuse_study(self, study: StudyId, approvals: Mapping[Address, bytes]) -> Receipt:
        return self._studies.refuse_study(Bytes32(study), _approvals(approvals))

    def resume_study(self, study: StudyId, round_: int, approvals: Mapping[Address, bytes]) -> Receipt:
        return self._studies.resume_study(Bytes32(study), round_, _approvals(approvals))

    def revoke_study(self, study: StudyId, approvals: Mapping[Address, bytes]) -> Receipt:
        return self._studies.revoke_study(Bytes32(study), _approvals(approvals))

    def suspend_study(self, study: StudyId, round_: int, member: Address, signature: bytes) -> Receipt:
        return self._studies.suspend_study(Bytes32(study), round_, member, signature)

    def is_valid_signature(self, account: Address, digest: bytes, signature: bytes) -> bool:
        return is_valid_signature(self._chain, account, digest, signature)


def _approvals(found: Mapping[Address, bytes]) -> list[Approval]:
    return [Approval(member, signature) for member, signature in found.items()]
