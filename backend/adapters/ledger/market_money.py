"""The wrapper of what ``ResearchMarket`` does with money; its permits are in ``studies``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from backend.adapters.ledger.calls import BoundContract, Call, Sender
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.studies import Approval, gas_of, in_order
from backend.research.money.types import (
    EscrowState,
    EscrowTerms,
    MarketRules,
    Payment,
    RoundId,
    RoundState,
)
from backend.types import Address, BlockNumber, Bytes32, MemberId, UnixSeconds

_GAS = 500_000  # a contract wallet may be asked for its signature, or a token keep many books


class MarketMoney(BoundContract):
    """Who may send what stands in ``contracts/interfaces/IResearchMarket.sol``."""

    def __init__(self, address: Address, chain: Chain) -> None:
        super().__init__("ResearchMarket", address, chain)

    # --- views

    def rules(self, *, block: BlockNumber) -> MarketRules:
        return MarketRules(*self._view("marketTerms", block=block)[0])

    def escrow(self, terms: EscrowTerms, *, block: BlockNumber) -> EscrowState:
        available, released = self._view("escrowOf", terms.escrow_id, block=block)
        (until,) = self._view("lockedUntil", terms.study, block=block)
        return EscrowState(available, released, UnixSeconds(until))

    def payout(self, round_: RoundId, *, block: BlockNumber) -> RoundState:
        root, remaining, opens_at, closes_at, attempt, objected = self._view("payoutOf", round_, block=block)[
            0
        ]
        return RoundState(Bytes32(root), remaining, opens_at, closes_at, attempt, objected)

    def committed_at(
        self, study: Bytes32, custodian: MemberId, result: Bytes32, *, block: BlockNumber
    ) -> UnixSeconds:
        """Block time; zero if never."""
        return UnixSeconds(self._view("resultOf", study, custodian, result, block=block)[0])

    def is_claimed(self, round_: RoundId, index: int, *, block: BlockNumber) -> bool:
        return bool(self._view("isClaimed", round_, index, block=block)[0])

    def is_donation(self, account: Address, *, block: BlockNumber) -> bool:
        return bool(self._view("isDonation", account, block=block)[0])

    def study_of_payee(self, account: Address, *, block: BlockNumber) -> Bytes32:
        """Zero if it was never paid, or is paid for any study."""
        return Bytes32(self._view("studyOfPayee", account, block=block)[0])

    # --- calls

    def fund(self, terms: EscrowTerms, amount: int) -> Call:
        return self._call("fund", astuple(terms), amount, gas=_GAS, sender=Sender.PAYMENTS)

    def release(self, terms: EscrowTerms) -> Call:
        return self._call("release", astuple(terms), gas=_GAS, sender=Sender.CUSTODIAN)

    def refund(self, terms: EscrowTerms) -> Call:
        """To the funder, whoever sends it."""
        return self._call("refund", astuple(terms), terms.funder, gas=_GAS)

    def commit(self, study: Bytes32, rules: Bytes32, result: Bytes32) -> Call:
        return self._call("commitResult", study, rules, result, gas=_GAS, sender=Sender.CUSTODIAN)

    def propose(self, terms: EscrowTerms, result: Bytes32, root: Bytes32, total: int) -> Call:
        return self._call(
            "proposePayout", astuple(terms), result, root, total, gas=_GAS, sender=Sender.CUSTODIAN
        )

    def object(
        self, terms: EscrowTerms, result: Bytes32, attempt: int, objector: Address, signature: bytes
    ) -> Call:
        """Without a signature the payments office objects, for a researcher who paid by invoice."""
        sender = Sender.RELAYER if signature else Sender.PAYMENTS
        arguments = (astuple(terms), result, attempt, objector, signature)
        return self._call("objectToPayout", *arguments, gas=2 * _GAS, sender=sender)

    def settle(
        self, terms: EscrowTerms, result: Bytes32, attempt: int, stands: bool, approvals: Sequence[Approval]
    ) -> Call:
        arguments = (astuple(terms), result, attempt, stands, in_order(approvals))
        return self._call("settlePayout", *arguments, gas=gas_of(approvals))

    def close(self, terms: EscrowTerms, result: Bytes32) -> Call:
        return self._call("closePayout", astuple(terms), result, gas=_GAS)

    def claim(self, terms: EscrowTerms, result: Bytes32, payment: Payment, proof: Sequence[Bytes32]) -> Call:
        return self._call("claim", astuple(terms), result, astuple(payment), list(proof), gas=_GAS)

    def name_donation(self, account: Address, approvals: Sequence[Approval]) -> Call:
        return self._call("nameDonation", account, in_order(approvals), gas=gas_of(approvals))
