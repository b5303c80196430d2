"""The research market in plain Python, from contracts/properties.md (S35, S36, RM-*), docs/contracts.md and its NatSpec.

Money is counted in the token's smallest unit. *Free* is what an escrow holds beside what its payouts owe.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.differential.documents import NOBODY, ZERO, InPerson
from tests.differential.market_terms import Escrow, Payment, Terms, merkle_root
from tests.differential.member_model import CUSTODIAN, ETHICS_BOARD, RESEARCHER, MemberModel
from tests.differential.outcome import Event, Refused, refuse

LONGEST_PERMIT = 3660 * 86_400


@dataclass
class Permit:
    rules: bytes = ZERO
    not_before: int = 0
    not_after: int = 0
    revoked_at: int = 0
    round: int = 0
    is_suspended: bool = False


@dataclass
class Money:
    free: int = 0
    is_released: bool = False


@dataclass
class Payout:
    root: bytes
    remaining: int
    opens_at: int
    closes_at: int
    attempt: int
    is_objected: bool = False
    is_rejected: bool = False
    claimed: set[int] = field(default_factory=set)


@dataclass
class MarketModel:
    members: MemberModel
    terms: Terms
    market: str = NOBODY  # its own account
    permits: dict[bytes, Permit] = field(default_factory=dict)
    donations: set[str] = field(default_factory=set)
    escrows: dict[bytes, Money] = field(default_factory=dict)
    results: dict[tuple[bytes, bytes, bytes], int] = field(default_factory=dict)
    payouts: dict[bytes, Payout] = field(default_factory=dict)
    payees: dict[str, bytes] = field(default_factory=dict)
    blocked: set[tuple[str, str]] = field(default_factory=set)  # accounts a token does not pay
    balances: dict[tuple[str, str], int] = field(default_factory=dict)  # token, account

    @property
    def now(self) -> int:
        return self.members.now()

    def permit(self, study: bytes) -> Permit:
        return self.permits.get(study, Permit())

    def is_permitted(self, study: bytes, rules: bytes) -> bool:
        permit = self.permit(study)
        in_window = permit.not_before <= self.now < permit.not_after
        return in_window and not permit.revoked_at and not permit.is_suspended and permit.rules == rules

    # --- the board

    def _board_faults(self, approvals: tuple[InPerson, ...], needed: int) -> set[str]:
        faults = {"ApprovalsTooFew"} if len(approvals) < needed else set()
        accounts = [int(by.account, 16) for by in approvals]
        if any(one >= other for one, other in zip(accounts, accounts[1:], strict=False)):
            faults.add("ApprovalsNotAscending")
        for by in approvals:
            if self.members.member_with_role(by.account, ETHICS_BOARD) == ZERO:
                faults.add("NotEthicsBoard")
            if by.flaw:
                faults.add("SignatureInvalid")
        return faults

    def _decision_faults(self, approvals: tuple[InPerson, ...]) -> set[str]:
        return self._board_faults(approvals, self.terms.board_threshold)

    def permit_study(
        self, study: bytes, rules: bytes, window: tuple[int, int], submit_by: int, approvals: tuple[InPerson, ...]
    ) -> list[Event]:
        begin, end = window
        faults = self._decision_faults(approvals)
        permit = self.permit(study)
        if study == ZERO:
            faults.add("StudyZero")
        if permit.not_after:
            faults.add("StudyAlreadyPermitted")
        elif permit.revoked_at:
            faults.add("StudyAlreadyRefused")
        if self.now > submit_by:
            faults.add("SubmittedTooLate")
        if max(begin, self.now) >= end:
            faults.add("WindowEmpty")
        if end > self.now + LONGEST_PERMIT:
            faults.add("PermitTooLong")
        refuse(faults)
        self.permits[study] = Permit(rules, begin, end)
        return [Event("StudyPermitted", study=study, rules=rules, notBefore=begin, notAfter=end)]

    def refuse_study(self, study: bytes, approvals: tuple[InPerson, ...]) -> list[Event]:
        permit = self.permit(study)
        if permit.revoked_at and not permit.not_after:
            return []  # twice does nothing
        faults = self._decision_faults(approvals)
        if study == ZERO:
            faults.add("StudyZero")
        if permit.not_after:
            faults.add("StudyAlreadyPermitted")
        refuse(faults)
        self.permits[study] = Permit(revoked_at=self.now)
        return [Event("StudyRefused", study=study, refusedAt=self.now)]

    def suspend_or_resume(
        self, study: bytes, round_: int, approvals: tuple[InPerson, ...], *, suspends: bool
    ) -> list[Event]:
        """One member suspends; to resume takes the threshold."""
        permit = self.permit(study)
        if not permit.not_after:
            raise Refused({"StudyUnknown"})
        if permit.is_suspended == suspends:
            return []
        needed = 1 if suspends else self.terms.board_threshold
        faults = self._board_faults(approvals, needed)
        if permit.revoked_at and not suspends:
            faults.add("StudyAlreadyRevoked")
        if round_ != permit.round:
            faults.add("RoundNotCurrent")
        refuse(faults)
        permit.is_suspended = suspends
        permit.round += 1
        name = "StudySuspended" if suspends else "StudyResumed"
        return [Event(name, study=study, round=permit.round)]

    def revoke_study(self, study: bytes, approvals: tuple[InPerson, ...]) -> list[Event]:
        permit = self.permit(study)
        if not permit.not_after:
            raise Refused({"StudyUnknown"})
        if permit.revoked_at:
            return []
        refuse(self._decision_faults(approvals))
        permit.revoked_at = self.now
        return [Event("StudyRevoked", study=study, revokedAt=self.now)]

    def name_donation(self, account: str, approvals: tuple[InPerson, ...]) -> list[Event]:
        faults = self._decision_faults(approvals)
        if account in {NOBODY, self.market}:
            faults.add("RecipientInvalid")
        refuse(faults)
        self.donations.add(account)
        return [Event("DonationNamed", account=account)]

    # --- escrows

    def money(self, escrow: Escrow) -> Money:
        return self.escrows.get(escrow.id, Money())

    def locked_until(self, study: bytes) -> int:
        """The study's end, by its date or its revocation, and the grace; zero if it was never permitted."""
        permit = self.permit(study)
        if not permit.not_after:
            return 0
        end = min(permit.not_after, permit.revoked_at or permit.not_after)
        return end + self.terms.grace_seconds

    def _is_over(self, escrow: Escrow) -> bool:
        permit = self.permit(escrow.study)
        is_refused = bool(permit.revoked_at and not permit.not_after)
        is_late = bool(permit.not_after) and self.now >= self.locked_until(escrow.study)
        return self.money(escrow).is_released or is_refused or is_late

    def fund(self, escrow: Escrow, amount: int, received: int, sender: str) -> list[Event]:
        faults = set()
        if sender != escrow.funder:
            faults.add("NotFunder")
        if self.members.member_with_role(sender, RESEARCHER) == ZERO:
            faults.add("NotResearcher")
        if not self.members.member_has_role(escrow.custodian, CUSTODIAN):
            faults.add("CustodianNotInStanding")
        if escrow.study == ZERO:
            faults.add("StudyZero")
        if self._is_over(escrow):
            faults.add("EscrowOver")
        if received == 0:
            faults.add("NothingReceived")
        refuse(faults)
        self.escrows.setdefault(escrow.id, Money()).free += received
        self._move(escrow.token, sender, -amount)
        self._move(escrow.token, self.market, received)
        return [Event("EscrowFunded", escrow=escrow.id, study=escrow.study, received=received)]

    def _move(self, token: str, account: str, amount: int) -> None:
        self.balances[token, account] = self.balances.get((token, account), 0) + amount

    def _escrow_custodian_faults(self, escrow: Escrow, sender: str) -> set[str]:
        member = self.members.member_with_role(sender, CUSTODIAN)
        return set() if member == escrow.custodian != ZERO else {"NotEscrowCustodian"}

    def release(self, escrow: Escrow, sender: str) -> list[Event]:
        refuse(self._escrow_custodian_faults(escrow, sender))
        self.escrows.setdefault(escrow.id, Money()).is_released = True
        return [Event("EscrowReleased", escrow=escrow.id)]

    def refund(self, escrow: Escrow, to: str, sender: str) -> list[Event]:
        money = self.money(escrow)
        faults = set()
        if to != escrow.funder and sender != escrow.funder:
            faults.add("NotFunder")
        if to in {NOBODY, self.market}:
            faults.add("RecipientInvalid")
        if not money.is_released and self.now < self.locked_until(escrow.study):
            faults.add("EscrowLocked")
        if money.free == 0:
            faults.add("EscrowEmpty")
        if (escrow.token, to) in self.blocked:
            faults.add("SafeERC20FailedOperation")
        refuse(faults)
        amount, money.free = money.free, 0
        self._move(escrow.token, self.market, -amount)
        self._move(escrow.token, to, amount)
        return [Event("EscrowRefunded", escrow=escrow.id, to=to, amount=amount)]

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
