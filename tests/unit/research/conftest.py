"""Stores in memory, a study and a few patients."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from backend.audit.errors import AuditUnavailable
from backend.research.budget import PrivacyBudget
from backend.research.joining import Joining
from backend.research.outputs import Count, Filter, Histogram, Table
from backend.research.paid_draws import PaidDraws
from backend.research.policy import BudgetPolicy
from backend.research.releases.ledger import ReleaseLedger
from backend.research.result import RunResult
from backend.research.run import StudyRunner
from backend.research.standing_lists import StandingLists
from backend.research.study import Event, Proposal, State, Study, propose
from backend.research.types import (
    NO_EPSILON_CAP,
    Answer,
    Candidate,
    Charge,
    LedgerDocument,
    LedgerHead,
    Permit,
    ResearchTerms,
    StudyId,
    ThresholdAnswer,
)
from backend.research.variables import Kind, Role, Variable
from backend.types import BlockNumber, ConsentId, MemberId, SubjectId, UnixSeconds
from tests.support.memory_chains import MemoryChainLog, MemoryJoinStore
from tests.support.memory_releases import MemoryReleaseStore

NOW = 1_790_000_000


class Crash(BaseException):
    """The process ends here."""


@dataclass
class MemoryBudgetStore:
    """``calls`` is what was asked of it; the process ends once after the step ``crash_after``."""

    entries: dict[int, Charge] = field(default_factory=dict)
    current: LedgerDocument | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    calls: list[str] = field(default_factory=list)
    crash_after: str = ""

    def document(self, ledger: str) -> LedgerDocument | None:
        self.calls.append("document")
        return self.current

    def swap(self, before: LedgerHead | None, after: LedgerDocument) -> bool:
        self.calls.append("swap")
        with self.lock:
            if before != (self.current.head if self.current else None):
                return False
            self.current = after
        self._crash("swap")
        return True

    def archive(self, charges: Sequence[Charge]) -> None:
        self.calls.append("archive")
        with self.lock:
            for charge in charges:
                self.entries.setdefault(charge.place, charge)
        self._crash("archive")

    def charges(self, ledger: str, *, start: int = 0) -> Iterable[Charge]:
        self.calls.append("charges")
        with self.lock:
            return [self.entries[place] for place in sorted(self.entries) if place >= start]

    def _crash(self, step: str) -> None:
        if self.crash_after == step:
            self.crash_after = ""
            raise Crash


@dataclass
class MemoryHeadLog:
    heads: list[LedgerHead] = field(default_factory=list)
    broken: bool = False

    def note(self, head: LedgerHead) -> None:
        if self.broken:
            raise AuditUnavailable
        self.heads.append(head)

    @property
    def newest(self) -> LedgerHead | None:
        return self.heads[-1] if self.heads else None


@dataclass
class MemoryDrawLog:
    drawn: list[bytes] = field(default_factory=list)
    crash_next: bool = False

    def note(self, charge_id: bytes) -> None:
        if self.crash_next:
            self.crash_next = False
            raise Crash
        self.drawn.append(charge_id)

    def has(self, charge: Charge) -> bool:
        return charge.charge_id in self.drawn


@dataclass
class MemoryAnswerStore:
    kept: dict[tuple[StudyId, bytes, bytes], tuple[Answer, ...]] = field(default_factory=dict)
    crash_next: bool = False

    def find(self, study: StudyId, snapshot: bytes) -> dict[bytes, Answer]:
        kept = [answers for key, answers in self.kept.items() if key[:2] == (study, snapshot)]
        return {answer.answer_id: answer for answers in kept for answer in answers}

    def keep(
        self, charge_id: bytes, study: StudyId, snapshot: bytes, answers: Sequence[Answer]
    ) -> tuple[Answer, ...]:
        if self.crash_next:
            self.crash_next = False
            raise Crash
        return self.kept.setdefault((study, snapshot, charge_id), tuple(answers))

    def charges(self, study: StudyId, snapshot: bytes) -> list[bytes]:
        return [key[2] for key in self.kept if key[:2] == (study, snapshot)]


@dataclass
class MemoryThresholdStore:
    given: dict[StudyId, tuple[bytes, tuple[ThresholdAnswer, ...]]] = field(default_factory=dict)

    def find(self, study: StudyId) -> tuple[bytes, tuple[ThresholdAnswer, ...]] | None:
        return self.given.get(study)

    def keep(
        self, study: StudyId, snapshot: bytes, answers: Sequence[ThresholdAnswer]
    ) -> tuple[bytes, tuple[ThresholdAnswer, ...]]:
        return self.given.setdefault(study, (snapshot, tuple(answers)))


@dataclass
class MemoryStudies:
    known: dict[StudyId, Study] = field(default_factory=dict)

    def insert(self, study: Study, *, at: UnixSeconds) -> bool:
        return self.known.setdefault(study.study_id, study) is study

    def get(self, study_id: StudyId) -> Study | None:
        return self.known.get(study_id)

    def replace(self, study: Study, *, at: UnixSeconds) -> bool:
        self.known[study.study_id] = study
        return True

    def page(
        self, *, state: State | None, researcher: MemberId | None, after: StudyId | None, limit: int
    ) -> list[Study]:
        names = sorted(name for name in self.known if after is None or name > after)
        return [self.known[name] for name in names[:limit]]


@dataclass
class MemoryUseStore:
    runs: dict[bytes, tuple[StudyId, tuple[SubjectId, ...], UnixSeconds]] = field(default_factory=dict)

    def record(
        self, study: StudyId, run_id: bytes, subjects: Sequence[SubjectId], *, at: UnixSeconds
    ) -> None:
        self.runs.setdefault(run_id, (study, tuple(subjects), at))

    def of_subject(self, subject: SubjectId) -> list[tuple[StudyId, UnixSeconds]]:
        return [(study, at) for study, subjects, at in self.runs.values() if subject in subjects]


@dataclass
class Committed:
    """Results that were committed to, by study and consent snapshot."""

    paying: set[tuple[StudyId, bytes]] = field(default_factory=set)

    def pays_for(self, study: StudyId, snapshot: bytes) -> bool:
        return (study, snapshot) in self.paying

    def commit(self, result: RunResult) -> None:
        self.paying.add((result.study, result.snapshot))


@dataclass
class Permits:
    known: dict[StudyId, Permit] = field(default_factory=dict)

    def permit(self, study: StudyId) -> Permit | None:
        return self.known.get(study)


class Keys:
    def study_key(self, study: StudyId) -> bytes:
        return (b"key of " + study)[:32].ljust(32, b"-")


def variables() -> tuple[Variable, ...]:
    return (
        Variable("sex", Kind.SEX, Role.QUASI),
        Variable(
            "age", Kind.AGE, Role.QUASI, edges=("0", "18", "40", "65", "90"), reference_date="2026-01-01"
        ),
        Variable("region", Kind.POSTAL_REGION, Role.QUASI),
        Variable("diabetes", Kind.CONDITION, system="http://snomed.info/sct", code="44054006"),
    )


def make_proposal(**changes: Any) -> Proposal:
    values: dict[str, Any] = {
        "researcher": MemberId(b"r" * 32),
        "title": "Diabetes by age",
        "purpose": "HRESCH",
        "duo": ("DUO:0000006", "DUO:0000046"),
        "variables": variables(),
        "outputs": (
            Count("diabetics", (Filter("diabetes", ("present",)),)),
            Histogram("ages", "age"),
            Table("people", ("sex", "age", "diabetes"), 5, 200_000),
        ),
        "not_before": UnixSeconds(NOW - 1_000),
        "not_after": UnixSeconds(NOW + 1_000_000),
        "epsilon": 2_000_000,
        "runs": 2,
        "minimum_cohort": 5,
        "salt": b"s" * 32,
    }
    return Proposal(**(values | changes))


def fhir_patient(number: int) -> list[dict[str, Any]]:
    patient = {
        "resourceType": "Patient",
        "gender": "female" if number % 2 else "male",
        "birthDate": f"{1940 + number % 60}-06-15",
        "address": [{"postalCode": f"0213{number % 10}", "state": "MA", "country": "US"}],
    }
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "44054006"}]}
    return [patient, {"resourceType": "Condition", "code": code}] if number % 3 == 0 else [patient]


def make_candidate(number: int, **terms: Any) -> Candidate:
    values: dict[str, Any] = {"duo": (("DUO:0000042",),), "minimum_cohort": 0, "epsilon_cap": NO_EPSILON_CAP}
    return Candidate(
        subject=SubjectId(number),
        consents=(ConsentId(number.to_bytes(32, "big")),),
        allowed=frozenset(variable.name for variable in variables()),
        terms=ResearchTerms(**(values | terms)),
        resources=lambda: iter(fhir_patient(number)),
    )


@dataclass
class World:
    budget_store: MemoryBudgetStore
    answers: MemoryAnswerStore
    uses: MemoryUseStore
    permits: Permits
    now: list[int]
    policy: BudgetPolicy
    releases: MemoryReleaseStore = field(default_factory=MemoryReleaseStore)
    joins: MemoryJoinStore = field(default_factory=MemoryJoinStore)
    chains: MemoryChainLog = field(default_factory=MemoryChainLog)
    heads: MemoryHeadLog = field(default_factory=MemoryHeadLog)
    versions: dict[StudyId, Sequence[Study]] = field(default_factory=dict)
    thresholds: MemoryThresholdStore = field(default_factory=MemoryThresholdStore)
    draw_log: MemoryDrawLog = field(default_factory=MemoryDrawLog)
    results: Committed = field(default_factory=Committed)
    proposals: MemoryStudies = field(default_factory=MemoryStudies)

    @property
    def budget(self) -> PrivacyBudget:
        """As another process would have it: it knows nothing but what is stored."""
        return PrivacyBudget(
            store=self.budget_store,
            joining=self.joining,
            log=self.heads,
            policy=self.policy,
            clock=lambda: self.now[0],
        )

    @property
    def draws(self) -> PaidDraws:
        return PaidDraws(budget=self.budget, log=self.draw_log)

    @property
    def joining(self) -> Joining:
        return Joining(store=self.joins, log=self.chains, ledger="hospital", clock=lambda: self.now[0])

    @property
    def lists(self) -> StandingLists:
        return StandingLists(studies=self.proposals, given=self.thresholds, clock=lambda: self.now[0])

    @property
    def runner(self) -> StudyRunner:
        return StudyRunner(
            permits=self.permits,
            keys=Keys(),
            budget=self.budget,
            draws=self.draws,
            answers=self.answers,
            thresholds=self.thresholds,
            lists=self.lists,
            uses=self.uses,
            results=self.results,
            releases=ReleaseLedger(
                store=self.releases,
                log=self.chains,
                keys=Keys(),
                ledger="hospital",
                clock=lambda: self.now[0],
            ),
            versions_before=lambda study: self.versions.get(study.study_id, ()),
            clock=lambda: self.now[0],
        )

    def approved(self, proposal: Proposal) -> Study:
        study = propose(proposal).after(Event.APPROVE)
        self.proposals.known[study.study_id] = study
        assert study.state is State.APPROVED
        self.permits.known[study.study_id] = Permit(
            proposal.digest, UnixSeconds(NOW - 100), UnixSeconds(NOW + 10_000), True, BlockNumber(7)
        )
        return study

    def suspend_on_chain(self, study: Study) -> None:
        permit = self.permits.known[study.study_id]
        self.permits.known[study.study_id] = replace(permit, is_live=False)


@pytest.fixture
def world() -> World:
    policy = BudgetPolicy("hospital", 5_000_000, 6, 366 * 86_400)
    return World(MemoryBudgetStore(), MemoryAnswerStore(), MemoryUseStore(), Permits(), [NOW], policy)


@pytest.fixture
def proposal_with() -> Callable[..., Proposal]:
    return make_proposal


@pytest.fixture
def candidate_with() -> Callable[..., Candidate]:
    return make_candidate


@pytest.fixture
def crash() -> type[BaseException]:
    return Crash
