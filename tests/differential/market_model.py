"""Results, payouts and claims in plain Python, upon the studies and escrows of ``escrow_model``."""

from __future__ import annotations

from tests.differential.documents import NOBODY, ZERO, InPerson
from tests.differential.escrow_model import Payout, StudiesAndEscrows
from tests.differential.market_terms import Escrow, Payment, merkle_root
from tests.differential.member_model import CUSTODIAN, ETHICS_BOARD
from tests.differential.outcome import Event, Refused, refuse


class MarketModel(StudiesAndEscrows):
    # --- results and payouts

    def commit_result(self, study: bytes, rules: bytes, result: bytes, sender: str) -> list[Event]:
        member = self.members.member_with_role(sender, CUSTODIAN)
        faults = {"NotCustodian"} if member == ZERO else set()
        if not self.is_permitted(study, rules):
            faults.add("StudyNotPermitted")
        if (study, member, result) in self.results:
            faults.add("ResultAlreadyCommitted")
        refuse(faults)
        self.results[study, member, result] = self.now
        return [Event("ResultCommitted", study=study, custodian=member, result=result)]

    def propose(
        self, escrow: Escrow, result: bytes, payments: tuple[Payment, ...], total: int, sender: str
    ) -> list[Event]:
        round_ = escrow.round_of(result)
        faults = self._escrow_custodian_faults(escrow, sender)
        if (escrow.study, escrow.custodian, result) not in self.results:
            faults.add("ResultUnknown")
        before = self.payouts.get(round_)
        if before and not before.is_rejected:
            faults.add("PayoutExists")
        if self._is_over(escrow):
            faults.add("EscrowOver")
        if total == 0:
            faults.add("PayoutEmpty")
        if total > self.money(escrow).free:
            faults.add("EscrowTooSmall")
        refuse(faults)
        self.money(escrow).free -= total
        opens = self.now + self.terms.objection_seconds
        attempt = before.attempt + 1 if before else 1
        root = merkle_root(round_, payments)
        closes = opens + self.terms.claim_seconds
        claimed = before.claimed if before else set()
        self.payouts[round_] = Payout(root, total, opens, closes, attempt, claimed=claimed)
        fields = {"round": round_, "escrow": escrow.id, "result": result, "root": root, "total": total}
        return [Event("PayoutProposed", **fields, attempt=attempt, opensAt=opens, closesAt=closes)]

    def _payout(self, escrow: Escrow, result: bytes) -> Payout:
        found = self.payouts.get(escrow.round_of(result))
        if found is None or found.is_rejected:
            raise Refused({"PayoutUnknown"})
        return found

    def object(self, escrow: Escrow, result: bytes, attempt: int, by: InPerson) -> list[Event]:
        payout = self._payout(escrow, result)
        faults = set()
        is_board = self.members.member_with_role(by.account, ETHICS_BOARD) != ZERO
        if by.account != escrow.funder and not is_board:
            faults.add("NotObjector")
        if by.flaw:
            faults.add("SignatureInvalid")
        if attempt != payout.attempt:
            faults.add("AttemptNotCurrent")
        if self.now >= payout.opens_at:
            faults.add("PayoutAlreadyOpen")
        if payout.is_objected:
            faults.add("AlreadyObjected")
        refuse(faults)
        payout.is_objected = True
        payout.opens_at = max(payout.opens_at, self.now + self.terms.settlement_seconds)
        payout.closes_at = payout.opens_at + self.terms.claim_seconds
        fields = {"objector": by.account, "opensAt": payout.opens_at, "closesAt": payout.closes_at}
        return [Event("PayoutObjected", round=escrow.round_of(result), **fields)]

    def settle(
        self, escrow: Escrow, result: bytes, attempt: int, approvals: tuple[InPerson, ...], *, stands: bool
    ) -> list[Event]:
        payout = self._payout(escrow, result)
        faults = self._decision_faults(approvals)
        if attempt != payout.attempt:
            faults.add("AttemptNotCurrent")
        if self.now >= payout.opens_at:
            faults.add("PayoutAlreadyOpen")
        if stands and not payout.is_objected:
            faults.add("NotObjected")
        refuse(faults)
        round_ = escrow.round_of(result)
        if not stands:
            payout.is_rejected = True
            total, payout.remaining = payout.remaining, 0
            self.escrows[escrow.id].free += total
            return [Event("PayoutRejected", round=round_, attempt=attempt, total=total)]
        payout.opens_at, payout.closes_at = self.now, self.now + self.terms.claim_seconds
        fields = {"attempt": attempt, "opensAt": payout.opens_at, "closesAt": payout.closes_at}
        return [Event("PayoutUpheld", round=round_, **fields)]

    def close(self, escrow: Escrow, result: bytes) -> list[Event]:
        payout = self._payout(escrow, result)
        if self.now < payout.closes_at:
            raise Refused({"PayoutNotOver"})
        if payout.remaining == 0:
            return []
        left, payout.remaining = payout.remaining, 0
        self.escrows[escrow.id].free += left
        return [Event("PayoutClosed", round=escrow.round_of(result), unclaimed=left)]

    # --- claims

    def claiming_faults(self, escrow: Escrow, result: bytes) -> set[str]:
        """Half open, from its opening to its closing."""
        payout = self._payout(escrow, result)
        faults = {"PayoutNotOpen"} if self.now < payout.opens_at else set()
        if self.now >= payout.closes_at:
            faults.add("PayoutOver")
        return faults

    def claim(self, escrow: Escrow, result: bytes, payment: Payment, *, is_proven: bool) -> list[Event]:
        """``is_proven``: whether the proof leads from this very leaf to the payout's root."""
        faults = self.claiming_faults(escrow, result)
        if not is_proven:
            faults.add("ProofInvalid")
        payout = self._payout(escrow, result)
        refuse(faults | self._payment_faults(escrow, payout, payment))
        payout.claimed.add(payment.index)
        payout.remaining -= payment.amount
        if payment.account not in self.donations:
            self.payees.setdefault(payment.account, escrow.study)
        self._move(escrow.token, self.market, -payment.amount)
        self._move(escrow.token, payment.account, payment.amount)
        fields = {"index": payment.index, "account": payment.account, "amount": payment.amount}
        return [Event("PaymentClaimed", round=escrow.round_of(result), **fields)]

    def _payment_faults(self, escrow: Escrow, payout: Payout, payment: Payment) -> set[str]:
        account = payment.account
        faults = {"AlreadyClaimed"} if payment.index in payout.claimed else set()
        if payment.amount > payout.remaining:
            faults.add("PayoutExhausted")
        if account in {NOBODY, self.market}:
            faults.add("RecipientInvalid")
        if self.members.member_of(account) != ZERO:
            faults.add("AccountOfMember")
        if account not in self.donations and self.payees.get(account, escrow.study) != escrow.study:
            faults.add("AccountOfAnotherStudy")
        if (escrow.token, account) in self.blocked:
            faults.add("TransferFailed")
        return faults
