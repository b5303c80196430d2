"""The research stores on a real MongoDB-wire server: races, crashes, conformance with their ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.failures import DocumentMalformed
from backend.adapters.index.joining_store import JoinedPatients, MongoJoinStore
from backend.adapters.index.marks import Marks
from backend.adapters.index.research_store import (
    MongoAnswerStore,
    MongoBudgetStore,
    MongoThresholdStore,
    MongoUseStore,
)
from backend.adapters.index.server import EmbeddedIndex, connect
from backend.adapters.index.study_store import MongoStudyStore
from backend.erasure.types import Scope
from backend.keystore import KeyStore
from backend.research import joining as joining_module
from backend.research.budget import PrivacyBudget
from backend.research.errors import BudgetExceeded, StudyDamaged
from backend.research.joining import Joining
from backend.research.outputs import Count, Filter, Histogram, Table
from backend.research.policy import BudgetPolicy
from backend.research.study import Event, Proposal, State, Study, propose
from backend.research.types import Answer, Estimate, LedgerHead, NanoRho, StudyId, ThresholdAnswer
from backend.research.variables import Kind, Role, Variable
from backend.types import MemberId, SubjectId, UnixSeconds
from tests.support.memory_chains import MemoryChainLog
from tests.support.memory_keys import MemoryKeyStore

Mongo = Database[dict[str, Any]]
STUDY, OTHER = StudyId(b"1" * 32), StudyId(b"2" * 32)
POLICY = BudgetPolicy("hospital", 3_000_000, 6, 366 * 86_400)
LAB = MemberId(b"l" * 32)
NO_LIMIT = NanoRho(10**17)
NOW = 1_790_000_000
BIG = SubjectId(2**96 - 1)


def budget(mongo: Mongo) -> PrivacyBudget:
    return PrivacyBudget(
        store=MongoBudgetStore(mongo), joining=joining(mongo), log=Heads(), policy=POLICY, clock=lambda: NOW
    )


def joining(mongo: Mongo, keys: KeyStore | None = None, ledger: str = "hospital") -> Joining:
    store = MongoJoinStore(mongo, keys or MemoryKeyStore())
    return Joining(store=store, log=MemoryChainLog(), ledger=ledger, clock=lambda: NOW)


class Heads:
    """The log's part is shown with the service itself: see ``test_privacy_ledger``."""

    def note(self, head: LedgerHead) -> None:
        pass


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def test_debit_by_32_clients_with_their_own_connections_never_overspends(
    index_server: EmbeddedIndex, mongo: Mongo
) -> None:
    share = NanoRho(POLICY.rho // 20)
    MongoBudgetStore(mongo)  # the indexes stand before the race
    outcomes: list[str] = []
    start = threading.Barrier(32)

    def client(place: int) -> None:
        database = connect(index_server.uri, database=mongo.name, timeout_ms=20_000)
        own = budget(database)
        start.wait()
        try:
            # Ids 0 to 27 once each; four clients repeat the ids of others.
            own.debit(number(place % 28), STUDY, LAB, share, study_limit=NO_LIMIT)
            outcomes.append("charged")
        except BudgetExceeded:
            outcomes.append("refused")
        finally:
            database.client.close()

    threads = [threading.Thread(target=client, args=(place,)) for place in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    ledger = budget(mongo)
    head = ledger.open(None)
    assert len(outcomes) == 32
    assert head.count == 20
    assert head.spent == 20 * share == ledger.spent_over([STUDY])
    assert len(list(MongoBudgetStore(mongo).charges("hospital"))) == 20


_CHILD = """
import os, signal, sys
from backend.adapters.index.research_store import MongoBudgetStore
from backend.adapters.index.server import connect
from backend.research.budget import PrivacyBudget
from backend.research.policy import BudgetPolicy
class Heads:
    def note(self, head): pass
    def join(self, subjects, spent): return {}
store = MongoBudgetStore(connect(sys.argv[1], database=sys.argv[2]))
policy = BudgetPolicy("hospital", 3_000_000, 6, 31_622_400)
budget = PrivacyBudget(store=store, joining=Heads(), log=Heads(), policy=policy, clock=lambda: 1_790_000_000)
budget.debit(bytes(32), b"1" * 32, b"l" * 32, 1_000, study_limit=10**17)
os.kill(os.getpid(), signal.SIGKILL)
"""


_RACER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from backend.adapters.index.research_store import MongoBudgetStore
from backend.adapters.index.server import connect
from backend.research.budget import PrivacyBudget
from backend.research.errors import BudgetExceeded
from backend.research.policy import BudgetPolicy
class Heads:
    def note(self, head): pass
    def join(self, subjects, spent): return {}
store = MongoBudgetStore(connect(sys.argv[1], database=sys.argv[2], timeout_ms=20_000))
policy = BudgetPolicy("hospital", 3_000_000, 6, 31_622_400)
budget = PrivacyBudget(store=store, joining=Heads(), log=Heads(), policy=policy, clock=lambda: 1_790_000_000)
def client(number):
    try:
        name = f"{sys.argv[3]} {number}".encode().ljust(32)
        budget.debit(name, b"1" * 32, b"l" * 32, int(sys.argv[4]), study_limit=10**17)
        return 1
    except BudgetExceeded:
        return 0
with ThreadPoolExecutor(16) as pool:
    print(sum(pool.map(client, range(500))))
"""


def test_a_thousand_debits_from_two_processes_of_16_threads_never_overspend(
    index_server: EmbeddedIndex, mongo: Mongo
) -> None:
    share, fitting = POLICY.rho // 700, POLICY.rho // (POLICY.rho // 700)
    MongoBudgetStore(mongo)
    root = Path(__file__).parents[2]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, index_server.uri, mongo.name, name, str(share)],
            cwd=root, stdout=subprocess.PIPE, text=True,
        )
        for name in ("left", "right")
    ]  # fmt: skip
    charged = [int(racer.communicate(timeout=180)[0]) for racer in racers]
    head = budget(mongo).open(None)
    assert sum(charged) == fitting == head.count
    assert head.spent == fitting * share <= POLICY.rho
    assert len(list(MongoBudgetStore(mongo).charges("hospital"))) == fitting


def test_client_killed_after_its_debit_is_charged_once_and_may_go_on(
    index_server: EmbeddedIndex, mongo: Mongo
) -> None:
    root = Path(__file__).parents[2]
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, index_server.uri, mongo.name], cwd=root, timeout=60, check=False
    )
    assert child.returncode == -signal.SIGKILL
    ledger = budget(mongo)
    assert ledger.balance().spent == 1_000
    again = ledger.debit(bytes(32), STUDY, LAB, NanoRho(1_000), study_limit=NO_LIMIT)
    assert (again.place, again.spent) == (0, 1_000)
    assert ledger.balance().spent == 1_000


def test_ledger_survives_a_kill_of_the_server(tmp_path: Path) -> None:
    server = EmbeddedIndex(tmp_path)
    server.start()
    database = connect(server.uri, database="d")
    try:
        first = budget(database).debit(number(1), STUDY, LAB, NanoRho(5), study_limit=NO_LIMIT)
        victim = server.process_id
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        with suppress(ChildProcessError):  # its keeper may have noticed already
            os.waitid(os.P_PID, victim, os.WEXITED | os.WNOWAIT)
        server.ensure_running()
        database.client.close()
        database = connect(server.uri, database="d")
        assert budget(database).open(None).digest == first.digest
    finally:
        database.client.close()
        server.stop()


def test_marks_are_set_once_by_many_runs_at_once(mongo: Mongo) -> None:
    keys = MemoryKeyStore()
    MongoJoinStore(mongo, keys)  # the index stands before the race
    subjects = [SubjectId(place) for place in range(1, 1_200)] + [BIG]
    found: list[dict[SubjectId, NanoRho]] = []

    def run(spent: int) -> None:
        found.append(joining(mongo, keys).join(subjects, NanoRho(spent)))

    threads = [threading.Thread(target=run, args=(spent,)) for spent in (10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(found) == 3
    assert found[0] == found[1] == found[2]
    assert set(found[0]) == set(subjects)
    assert joining(mongo, keys, "other").join([BIG], NanoRho(7)) == {BIG: 7}
    assert mongo.privacy_marks.count_documents({"ledger": "hospital"}) == 1


def test_erased_person_goes_out_of_the_entry_and_the_others_marks_stay(mongo: Mongo) -> None:
    keys = MemoryKeyStore()
    first = joining(mongo, keys).join([SubjectId(1), SubjectId(2), BIG], NanoRho(5))
    joined = JoinedPatients(mongo, Marks(keys, "privacy_marks").marked)
    scope = Scope(BIG)
    assert (joined.count(scope), joined.count(Scope(SubjectId(9)))) == (1, 0)
    joined.erase(scope)
    joined.erase(scope)
    assert joined.count(scope) == 0
    again = joining(mongo, keys).join([SubjectId(1), SubjectId(2), BIG], NanoRho(8))
    assert again == {**first, BIG: 8}  # somebody else, who begins now


def test_more_patients_than_one_entry_holds_join_in_several(
    mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = MemoryKeyStore()
    monkeypatch.setattr(joining_module, "MAX_TOGETHER", 400)
    subjects = [SubjectId(place) for place in range(1, 1_001)]
    assert joining(mongo, keys).join(subjects, NanoRho(3)) == dict.fromkeys(subjects, 3)
    assert mongo.privacy_marks.count_documents({}) == 3


def answer(name: bytes, value: int) -> Answer:
    estimates = (Estimate("mean", "1.5", "1.0", "2.0"), Estimate("slope", "", "", ""))
    return Answer(name * 32, ("a", "b"), (value, -3), 9, "4.500000", NanoRho(11), estimates)


def test_answers_kept_first_stay(mongo: Mongo) -> None:
    store = MongoAnswerStore(mongo)
    first = (answer(b"x", 1), answer(b"y", 2))
    now, later = number(7), number(8)
    assert store.keep(number(1), STUDY, now, first) == first
    assert store.keep(number(1), STUDY, now, (answer(b"x", 5), answer(b"y", 6))) == first
    third = answer(b"z", 3)
    store.keep(number(2), STUDY, now, [third])
    store.keep(number(3), STUDY, later, [answer(b"v", 4)])
    store.keep(number(4), OTHER, now, [answer(b"w", 4)])
    assert store.find(STUDY, now) == {found.answer_id: found for found in (*first, third)}
    assert store.find(OTHER, later) == {}
    assert sorted(store.charges(STUDY, now)) == [number(1), number(2)]
    assert store.charges(OTHER, later) == []


def test_exact_figures_given_first_stay_whoever_else_gives(mongo: Mongo) -> None:
    store = MongoThresholdStore(mongo)
    assert store.find(STUDY) is None
    seen: list[object] = []

    def give(value: int) -> None:
        figures = [
            ThresholdAnswer("ages", ("<18", "missing"), (value, None)),
            ThresholdAnswer("all", ("",), (25,)),
        ]
        seen.append(store.keep(STUDY, number(value), figures))

    threads = [threading.Thread(target=give, args=(value,)) for value in range(15, 55, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert len(seen) == 8
    kept = store.find(STUDY)
    assert kept is not None
    assert set(seen) == {kept}
    snapshot, (ages, everybody) = kept
    assert snapshot == number(ages.values[0] or 0)
    assert (ages.levels, ages.values[1], everybody.values) == (("<18", "missing"), None, (25,))
    assert store.find(OTHER) is None
    assert store.keep(OTHER, number(1), []) == (number(1), ())
    assert store.find(OTHER) == (number(1), ())


def test_exact_figures_that_cannot_be_read_are_refused(mongo: Mongo) -> None:
    store = MongoThresholdStore(mongo)
    store.keep(STUDY, number(1), [ThresholdAnswer("all", ("",), (25,))])
    mongo.research_thresholds.update_one({}, {"$set": {"answers": [["all", [""]]]}})
    with pytest.raises(DocumentMalformed):
        store.find(STUDY)


def test_uses_are_found_by_patient_newest_first_and_recorded_once(mongo: Mongo) -> None:
    store = MongoUseStore(mongo)
    store.record(STUDY, number(1), [SubjectId(1), BIG], at=UnixSeconds(10))
    store.record(STUDY, number(1), [SubjectId(1)], at=UnixSeconds(99))
    store.record(OTHER, number(2), [BIG], at=UnixSeconds(20))
    assert store.of_subject(BIG) == [(OTHER, 20), (STUDY, 10)]
    assert store.of_subject(SubjectId(1)) == [(STUDY, 10)]
    assert store.of_subject(SubjectId(2)) == []


def make_study(title: str) -> Study:
    outputs = (
        Count("ill", (Filter("ill", ("present",)),)),
        Histogram("sexes", "sex"),
        Table("people", ("sex", "ill")),
    )
    return propose(
        Proposal(
            researcher=MemberId(b"r" * 32),
            title=title,
            purpose="HRESCH",
            duo=("DUO:0000006",),
            variables=(
                Variable("sex", Kind.SEX, Role.QUASI),
                Variable("ill", Kind.CONDITION, system="http://snomed.info/sct", code="1"),
            ),
            outputs=outputs,
            not_before=UnixSeconds(NOW),
            not_after=UnixSeconds(NOW + 10),
            epsilon=1_000_000,
            runs=1,
            minimum_cohort=5,
            salt=b"s" * 32,
        )
    )


def test_studies_come_back_as_stored_and_move_by_version(mongo: Mongo) -> None:
    store = MongoStudyStore(mongo)
    studies = sorted((make_study(title) for title in "abc"), key=lambda study: study.study_id)
    for study in studies:
        assert store.insert(study, at=UnixSeconds(NOW))
    assert not store.insert(studies[0], at=UnixSeconds(NOW))
    approved = studies[1].after(Event.APPROVE)
    assert store.replace(approved, at=UnixSeconds(NOW))
    assert not store.replace(studies[1].after(Event.REFUSE), at=UnixSeconds(NOW))  # somebody was faster
    assert store.get(approved.study_id) == approved
    assert store.get(StudyId(b"0" * 32)) is None
    page: dict[str, Any] = {"researcher": None, "limit": 2}
    assert store.page(state=None, after=None, **page) == [studies[0], approved]
    assert store.page(state=None, after=approved.study_id, **page) == [studies[2]]
    assert store.page(state=State.APPROVED, after=None, **page) == [approved]
    assert store.page(state=None, after=None, researcher=MemberId(b"x" * 32), limit=9) == []


def test_study_altered_in_the_store_is_refused(mongo: Mongo) -> None:
    store = MongoStudyStore(mongo)
    study = make_study("a")
    store.insert(study, at=UnixSeconds(NOW))
    mongo.studies.update_one({"_id": study.study_id.hex()}, {"$set": {"proposal.epsilon": 9_000_000}})
    with pytest.raises(StudyDamaged):
        store.get(study.study_id)
