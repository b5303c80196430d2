"""The durable ledger of spent privacy budget, one for each custodian.

A debit is one conditional update of one document: the ledger's head moves on by the charges of everybody who
waits, or not at all. Every charge is counted against everybody who takes part (not against the cohort of its
question), so that the sum bounds each patient's loss whatever cohorts they were in, and a refusal tells
nothing about any cohort. A charge is never taken back.

Order: head durable, charges in the history, head in the audit log, answer to the caller. So whatever noise
was drawn for stands in the audit log, and a ledger that was put back to before it is found.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.research.charges import Chain, Wanted
from backend.research.dp import epsilon_of, rho_within
from backend.research.errors import (
    BudgetExceeded,
    BudgetLedgerDamaged,
    ChargeConflict,
    LedgerBusy,
    PrivacyLedgerRolledBack,
)
from backend.research.policy import CUSTODIAN, NO_CAP, BudgetPolicy
from backend.research.ports import BudgetStore, HeadLog, Joins
from backend.research.types import (
    NO_EPSILON_CAP,
    Charge,
    LedgerDocument,
    LedgerHead,
    NanoRho,
    StudyId,
)
from backend.types import MemberId, SubjectId, UnixSeconds

_ATTEMPTS = 2_000  # each lost attempt means that another process's charge went through
_MOST_AT_ONCE = 64  # charges of one update


@dataclass(frozen=True, slots=True)
class Balance:
    """What a period has spent and has left. ``epsilon_spent`` is by OpenDP's conversion."""

    period: int
    spent: NanoRho
    left: NanoRho
    epsilon_spent: float
    epsilon_total: float
    delta_exponent: int


class _Request:
    """One caller's charge. The outcome is set by whichever thread serves it."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.outcome: Charge | Exception | None = None

    def result(self) -> Charge:
        if isinstance(self.outcome, Charge):
            return self.outcome
        raise self.outcome or LedgerBusy


class PrivacyBudget:
    """Debits and reads one ledger. Safe to use from many threads and many processes at once.

    Callers that come together are served together: one of them makes the update for all.
    """

    def __init__(
        self,
        *,
        store: BudgetStore,
        joining: Joins,
        log: HeadLog,
        policy: BudgetPolicy,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._joining = joining
        self._log = log
        self._policy = policy
        self._clock = clock
        self._served = threading.Condition()  # guards the two below
        self._waiting: list[_Request] = []
        self._serving = False
        self._turn = threading.Lock()  # guards what is below
        self._chain = Chain(policy.ledger)
        self._archived = 0  # charges of which this process knows that the history has them
        self._noted = 0  # charges of which this process knows that the audit log covers them
        self._refusing = False

    @property
    def policy(self) -> BudgetPolicy:
        return self._policy

    def open(self, noted: LedgerHead | None) -> LedgerHead:
        """Check the whole ledger at start, against the newest head that the audit log has; return its head.

        Raises PrivacyLedgerRolledBack when the ledger no longer holds that head. A chain that does not verify
        stops answers (``refuse``) and not the start: consents and revocations do not rest on it.
        """
        with self._turn:
            self._chain, self._archived, self._noted = Chain(self._policy.ledger), 0, 0
            try:
                self._catch_up(noted)
            except BudgetLedgerDamaged:
                self._refusing = True
                return self._chain.head
            self._noted = noted.count if noted is not None else 0
            self._note()  # a crash may have come between a charge and its entry
            return self._chain.head

    def refuse(self) -> None:
        """Give no answer until the next start: nobody knows what was spent."""
        with self._turn:
            self._refusing = True

    def debit(
        self,
        charge_id: bytes,
        study: StudyId,
        researcher: MemberId,
        rho: NanoRho,
        *,
        study_limit: NanoRho,
        before: Sequence[StudyId] = (),
    ) -> Charge:
        """Charge ``rho`` once under ``charge_id`` and return the charge when it is durable and in the log.

        What the versions of the study ``before`` this one spent counts against its limit, too.

        The same id again returns the first charge and costs nothing. Raises BudgetExceeded (before anything
        is written, whichever cap it is) when the period's, the study's or the researcher's limit would be
        passed, ChargeConflict when the id stands for another charge, LedgerBusy when other processes kept
        winning, PrivacyLedgerRolledBack and BudgetLedgerDamaged. After Unavailable the charge may or may not
        stand; called again with the same id, it stands once.
        """
        if rho <= 0:
            raise ValueError("a charge is positive")
        cap = NO_CAP if researcher == CUSTODIAN else self._policy.study_rho
        limit = NanoRho(min(study_limit, cap))
        request = _Request(Wanted(charge_id, study, researcher, rho, limit, tuple(before)))
        with self._served:
            self._waiting.append(request)
            while request.outcome is None and self._serving:
                self._served.wait()
            serves = request.outcome is None
            self._serving = self._serving or serves
        if serves:
            try:
                while request.outcome is None:
                    self._serve_next()
            finally:
                with self._served:
                    self._serving = False
                    self._served.notify_all()
        return request.result()

    def charge(self, charge_id: bytes) -> Charge | None:
        """The charge of this id, if there is one."""
        with self._turn:
            self._catch_up()
            return self._chain.known.get(charge_id)

    def balance(self) -> Balance:
        with self._turn:
            self._catch_up()
            period = self._period()
            spent = self._chain.spent_in(period)
        exponent = self._policy.delta_exponent
        return Balance(
            period=period,
            spent=spent,
            left=NanoRho(max(0, self._policy.rho - spent)),
            epsilon_spent=epsilon_of(spent, exponent),
            epsilon_total=epsilon_of(self._policy.rho, exponent),
            delta_exponent=exponent,
        )

    def spent_over(self, studies: Sequence[StudyId]) -> NanoRho:
        """In the whole lives of several studies, together."""
        with self._turn:
            self._catch_up()
            return self._chain.spent_over(studies)

    def spent_by_researcher(self, researcher: MemberId) -> NanoRho:
        """In this period."""
        with self._turn:
            self._catch_up()
            return self._chain.spent_by(researcher, self._period())

    def charges_of(self, researcher: MemberId) -> list[Charge]:
        """A researcher's charges of all time, newest first: their receipts."""
        with self._turn:
            self._catch_up()
            found = [charge for charge in self._chain.known.values() if charge.researcher == researcher]
        return sorted(found, key=lambda charge: charge.place, reverse=True)

    def join(self, subjects: list[SubjectId]) -> dict[SubjectId, NanoRho]:
        """Mark patients as taking part from now on; return what had been spent when each first did.

        Must be durable before a charge of an answer in which they take part. A mark never moves. Raises
        PrivacyMarksRolledBack, PrivacyMarksDamaged.
        """
        document = self._store.document(self._policy.ledger)
        spent = document.head.spent if document is not None else NanoRho(0)
        return self._joining.join(subjects, spent)

    def within_cap(self, charge: Charge, joined: NanoRho, epsilon_cap: int) -> bool:
        """Whether what was spent since a patient joined, this charge included, is within their own cap."""
        if epsilon_cap == NO_EPSILON_CAP:
            return True
        return charge.spent - joined <= rho_within(epsilon_cap, self._policy.delta_exponent)

    def _serve_next(self) -> None:
        with self._served:
            batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
        with self._turn:
            self._serve(batch)

    def _serve(self, batch: Sequence[_Request]) -> None:
        try:
            for turn in range(_ATTEMPTS):
                if self._attempt(batch, look=turn > 0):
                    return
            raise LedgerBusy
        except BaseException as failure:
            # The others must not wait for a thread that has left.
            told = failure if isinstance(failure, Exception) else LedgerBusy()
            for request in batch:
                request.outcome = request.outcome or told
            if told is not failure:
                raise

    def _attempt(self, batch: Sequence[_Request], *, look: bool) -> bool:
        """Serve the whole batch against the ledger as it is now; False when another process was faster.

        Where nobody is refused the update itself tells whether the ledger is still as this process left it;
        for everything else, and once that was not so (``look``), the ledger's document is read first.
        """
        document: LedgerDocument | None = None
        draft, outcomes = self._drafted(batch)
        known = 0 < self._chain.count == self._archived and not self._refusing
        if look or not known or not all(self._is_fresh(outcome) for outcome in outcomes):
            document = self._catch_up()
            draft, outcomes = self._drafted(batch)
        fresh = [each for each in outcomes if isinstance(each, Charge) and self._is_fresh(each)]
        fresh = list(dict.fromkeys(fresh))  # two that came together under one id are one
        if fresh:
            if document is not None and self._archived < self._chain.count:  # a crash, or another process
                self._store.archive(document.recent)
            before = self._chain.head if self._chain.count else None
            if not self._store.swap(before, LedgerDocument(draft.head, tuple(fresh))):
                return False
            for charge in fresh:
                self._chain.apply(charge)
            self._store.archive(fresh)
            self._archived = self._chain.count
        self._note()
        for request, outcome in zip(batch, outcomes, strict=True):
            request.outcome = outcome
        return True

    def _drafted(self, batch: Sequence[_Request]) -> tuple[Chain, list[Charge | Exception]]:
        draft = self._chain.draft()
        return draft, [self._outcome(draft, request.wanted) for request in batch]

    def _is_fresh(self, outcome: Charge | Exception) -> bool:
        return isinstance(outcome, Charge) and outcome.place >= self._chain.count

    def _outcome(self, draft: Chain, wanted: Wanted) -> Charge | Exception:
        """The charge of one request, a known one or one more on the draft; or why there is none."""
        known = draft.known.get(wanted.charge_id)
        if known is not None:
            return known if wanted.is_that_of(known) else ChargeConflict()
        charge = draft.next(wanted, period=self._period(), at=UnixSeconds(self._clock()))
        if (
            charge.period_spent > self._policy.rho
            or charge.study_spent + draft.spent_over(wanted.before) > wanted.study_limit
            or (charge.researcher != CUSTODIAN and charge.researcher_spent > self._policy.researcher_rho)
        ):
            return BudgetExceeded()
        draft.apply(charge)
        return charge

    def _note(self) -> None:
        """Before anybody has an answer, the audit log has a head at or past their charge."""
        if self._noted < self._chain.count:
            self._log.note(self._chain.head)
            self._noted = self._chain.count

    def _period(self) -> int:
        return self._chain.period_at(self._clock(), self._policy.period_seconds)

    def _catch_up(self, watched: LedgerHead | None = None) -> LedgerDocument | None:
        """Read the ledger's document and verify what was added up to it; ``watched`` is a head on the way."""
        if self._refusing:
            raise BudgetLedgerDamaged
        chain, ledger = self._chain, self._policy.ledger
        expected = watched.count if watched is not None else 0
        document = self._store.document(ledger)
        if document is None and next(iter(self._store.charges(ledger)), None) is not None:
            document = self._store.document(ledger)  # another process may have made the first charge
            if document is None:
                raise PrivacyLedgerRolledBack
        if document is None:
            if chain.count or expected:
                raise PrivacyLedgerRolledBack
            return None
        head = document.head
        if head == chain.head:
            return document
        if head.count <= chain.count or head.count < expected:
            raise PrivacyLedgerRolledBack
        for charge in self._store.charges(ledger, start=chain.count):
            if chain.count == head.count:
                break
            chain.apply(charge)
            _compare(chain, watched)
        self._archived = max(self._archived, chain.count)
        for charge in document.recent:
            if charge.place >= chain.count:
                chain.apply(charge)
                _compare(chain, watched)
        if chain.head != head:
            raise BudgetLedgerDamaged
        return document


def _compare(chain: Chain, watched: LedgerHead | None) -> None:
    if watched is not None and chain.count == watched.count and chain.head != watched:
        raise PrivacyLedgerRolledBack
