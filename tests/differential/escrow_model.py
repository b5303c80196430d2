"""The research market in plain Python, from contracts/properties.md (S35, S36, RM-*), docs/contracts.md and
its NatSpec.

Money is counted in the token's smallest unit. *Free* is what an escrow holds beside what its payouts owe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from tests.differential.documents import NOBODY, ZERO, InPerson
from tests.differential.market_terms import Escrow, Terms
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
class StudiesAndEscrows:
    """Permits, what the board decides of them, and the money that waits."""

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
        if any(one >= other for one, other in pairwise(accounts)):
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
        self,
        study: bytes,
        rules: bytes,
        window: tuple[int, int],
        submit_by: int,
        approvals: tuple[InPerson, ...],
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
        if permit.is_suspended == suspends and (suspends or not permit.revoked_at):
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
