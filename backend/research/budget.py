"""The durable ledger of spent privacy budget: an append-only chain of charges, one for each custodian.

A charge is one insert of one document whose key is the next place in the chain, so that of many concurrent
charges exactly one takes a place and the others look again: nothing is spent twice and nothing is lost. A
charge is never taken back. Every charge is counted against everybody who takes part (not against the cohort
of its question), so that the sum bounds each patient's loss whatever cohorts they were in, and a refusal
tells nothing about any cohort.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from backend.research.canonical import digest_of
from backend.research.dp import epsilon_of, rho_within
from backend.research.errors import BudgetExceeded, BudgetLedgerDamaged, ChargeConflict, LedgerBusy
from backend.research.ports import BudgetStore
from backend.research.types import NO_EPSILON_CAP, Charge, NanoRho, StudyId
from backend.types import SubjectId, UnixSeconds

_ATTEMPTS = 2_000  # each lost attempt means that another charge went through


@dataclass(frozen=True, slots=True)
class BudgetPolicy:
    """The custodian's promise: at most ``epsilon`` (millionths) at 10^-``delta_exponent`` in a period.

    A new period renews the budget; what a patient can lose over several periods is the sum, which is why a
    patient's own cap counts over all of them.
    """

    ledger: str
    epsilon: int
    delta_exponent: int
    period_seconds: int

    @property
    def rho(self) -> NanoRho:
        return rho_within(self.epsilon, self.delta_exponent)


@dataclass(frozen=True, slots=True)
class Balance:
    """What a period has spent and has left. ``epsilon_spent`` is by OpenDP's conversion."""

    period: int
    spent: NanoRho
    left: NanoRho
    epsilon_spent: float
    epsilon_total: float
    delta_exponent: int


class PrivacyBudget:
    """Debits and reads one ledger. Safe to use from many threads and many processes at once."""

    def __init__(self, *, store: BudgetStore, policy: BudgetPolicy, clock: Callable[[], int]) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._turn = threading.Lock()  # spares threads of this process from racing; the store decides

    @property
    def policy(self) -> BudgetPolicy:
        return self._policy

    def debit(self, charge_id: bytes, study: StudyId, rho: NanoRho, *, study_limit: NanoRho) -> Charge:
        """Charge ``rho`` once under ``charge_id`` and return the charge when it is durable.

        The same id again returns the first charge and costs nothing. Raises BudgetExceeded (before anything
        is written) when the period's or the study's limit would be passed, ChargeConflict when the id stands
        for another charge, LedgerBusy when other charges kept winning.
        """
        if rho <= 0:
            raise ValueError("a charge is positive")
        with self._turn:
            for _ in range(_ATTEMPTS):
                known = self._store.charge(self._policy.ledger, charge_id)
                if known is not None:
                    return _same(known, study, rho)
                head = self._store.head(self._policy.ledger)
                charge = self._next(head, charge_id, study, rho, study_limit)
                if self._store.append(charge):
                    return charge
        raise LedgerBusy

    def balance(self) -> Balance:
        head = self._store.head(self._policy.ledger)
        period = self._period(head)
        spent = NanoRho(head.period_spent if head is not None and head.period == period else 0)
        exponent = self._policy.delta_exponent
        return Balance(
            period=period,
            spent=spent,
            left=NanoRho(max(0, self._policy.rho - spent)),
            epsilon_spent=epsilon_of(spent, exponent),
            epsilon_total=epsilon_of(self._policy.rho, exponent),
            delta_exponent=exponent,
        )

    def spent_by_study(self, study: StudyId) -> NanoRho:
        last = self._store.last_of_study(self._policy.ledger, study)
        return last.study_spent if last is not None else NanoRho(0)

    def join(self, subjects: list[SubjectId]) -> dict[SubjectId, NanoRho]:
        """Mark patients as taking part from now on; return what had been spent when each first did.

        Must be durable before a charge of an answer in which they take part. A mark never moves.
        """
        head = self._store.head(self._policy.ledger)
        spent = head.spent if head is not None else NanoRho(0)
        return self._store.join(self._policy.ledger, subjects, spent)

    def within_cap(self, charge: Charge, joined: NanoRho, epsilon_cap: int) -> bool:
        """Whether what was spent since a patient joined, this charge included, is within their own cap."""
        if epsilon_cap == NO_EPSILON_CAP:
            return True
        return charge.spent - joined <= rho_within(epsilon_cap, self._policy.delta_exponent)

    def verify(self) -> Charge | None:
        """Recompute the whole chain; return its head. Raises BudgetLedgerDamaged at the first fault."""
        head: Charge | None = None
        by_study: dict[StudyId, NanoRho] = {}
        for charge in self._store.charges(self._policy.ledger):
            expected = _link(head, charge, by_study.get(charge.study, NanoRho(0)))
            if charge != expected or charge.rho <= 0 or (head is not None and charge.period < head.period):
                raise BudgetLedgerDamaged
            by_study[charge.study] = charge.study_spent
            head = charge
        return head

    def _period(self, head: Charge | None) -> int:
        # A clock that runs backwards must not open an old period's budget again.
        now = self._clock() // self._policy.period_seconds
        return max(now, head.period) if head is not None else now

    def _next(
        self, head: Charge | None, charge_id: bytes, study: StudyId, rho: NanoRho, study_limit: NanoRho
    ) -> Charge:
        last = self._store.last_of_study(self._policy.ledger, study)
        bare = Charge(
            ledger=self._policy.ledger, place=0, charge_id=charge_id, study=study, rho=rho,
            spent=NanoRho(0), period=self._period(head), period_spent=NanoRho(0), study_spent=NanoRho(0),
            at=UnixSeconds(self._clock()), previous=b"", digest=b"",
        )  # fmt: skip
        charge = _link(head, bare, last.study_spent if last is not None else NanoRho(0))
        if charge.period_spent > self._policy.rho or charge.study_spent > study_limit:
            raise BudgetExceeded
        return charge


def _link(head: Charge | None, charge: Charge, study_spent: NanoRho) -> Charge:
    """The charge with everything that follows from the one before it filled in."""
    in_period = head.period_spent if head is not None and head.period == charge.period else 0
    linked = replace(
        charge,
        place=head.place + 1 if head is not None else 0,
        spent=NanoRho((head.spent if head is not None else 0) + charge.rho),
        period_spent=NanoRho(in_period + charge.rho),
        study_spent=NanoRho(study_spent + charge.rho),
        previous=head.digest if head is not None else bytes(32),
        digest=b"",
    )
    return replace(linked, digest=_digest(linked))


def _digest(charge: Charge) -> bytes:
    return digest_of(
        [
            "assent-privacy-charge-1", charge.ledger, charge.place, charge.charge_id.hex(),
            charge.study.hex(), charge.rho, charge.spent, charge.period, charge.period_spent,
            charge.study_spent, charge.at, charge.previous.hex(),
        ]
    )  # fmt: skip


def _same(known: Charge, study: StudyId, rho: NanoRho) -> Charge:
    if known.study != study or known.rho != rho:
        raise ChargeConflict
    return known
