"""The wrapper of ``ResearchMarket``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from backend.adapters.ledger.calls import BoundContract, Call
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.deployment_file import MarketTerms
from backend.consent.member_terms import PermitStudy
from backend.types import Address, BlockNumber, Bytes32, UnixSeconds

_GAS = 500_000


@dataclass(frozen=True, slots=True)
class Approval:
    """One board member's signature over a command; a decision takes as many as the deployment's threshold."""

    member: Address
    signature: bytes


@dataclass(frozen=True, slots=True)
class StudyState:
    """A study on the chain; all zero where none was permitted, and only ``revoked_at`` where it was refused.

    It says nothing about now: ask ``is_permitted``.
    """

    rules: Bytes32
    not_before: UnixSeconds
    not_after: UnixSeconds
    revoked_at: UnixSeconds
    round: int
    suspended: bool


class ResearchMarket(BoundContract):
    """Commands of the ethics board, signed by its members, relayed by anyone.

    Suspending takes one member, everything else the threshold of the deployment.
    """

    def __init__(self, address: Address, chain: Chain) -> None:
        super().__init__("ResearchMarket", address, chain)

    def state(self, study: Bytes32, *, block: BlockNumber) -> StudyState:
        return StudyState(*self._view("permitOf", study, block=block)[0])

    def is_permitted(self, study: Bytes32, rules: Bytes32, *, block: BlockNumber) -> bool:
        """Return whether the study may run at the block's own time under exactly these rules."""
        return bool(self._view("isPermitted", study, rules, block=block)[0])

    def terms(self, *, block: BlockNumber) -> MarketTerms:
        """Return what the deployment fixed for ever."""
        return MarketTerms(*self._view("marketTerms", block=block)[0])

    def permit(self, permit: PermitStudy, approvals: Sequence[Approval]) -> Call:
        return self._call(
            "permitStudy",
            *astuple(permit),
            in_order(approvals),
            gas=gas_of(approvals),
        )

    def refuse(self, study: Bytes32, approvals: Sequence[Approval]) -> Call:
        return self._call("refuseStudy", study, in_order(approvals), gas=gas_of(approvals))

    def suspend(self, study: Bytes32, round_: int, board: Address, signature: bytes) -> Call:
        return self._call("suspendStudy", study, round_, board, signature, gas=_GAS)

    def resume(self, study: Bytes32, round_: int, approvals: Sequence[Approval]) -> Call:
        return self._call("resumeStudy", study, round_, in_order(approvals), gas=gas_of(approvals))

    def revoke(self, study: Bytes32, approvals: Sequence[Approval]) -> Call:
        return self._call("revokeStudy", study, in_order(approvals), gas=gas_of(approvals))


def in_order(approvals: Sequence[Approval]) -> list[tuple[Address, bytes]]:
    """Return them by ascending account, as the contract wants them to see that they are distinct."""
    ordered = sorted(approvals, key=lambda each: int(each.member, 16))
    return [(each.member, each.signature) for each in ordered]


def gas_of(approvals: Sequence[Approval]) -> int:
    """Return an upper bound: a contract wallet may take half a million."""
    return 300_000 + _GAS * len(approvals)
