"""The ledger never spends twice, never refunds, refuses before writing, and finds what was altered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.audit.errors import AuditUnavailable
from backend.research.charges import Chain, digest_of_charge
from backend.research.errors import (
    BudgetExceeded,
    BudgetLedgerDamaged,
    ChargeConflict,
    PrivacyLedgerRolledBack,
)
from backend.research.policy import BudgetPolicy
from backend.research.types import NO_EPSILON_CAP, Charge, LedgerDocument, NanoRho, StudyId
from backend.types import MemberId, SubjectId

STUDY, OTHER = StudyId(b"1" * 32), StudyId(b"2" * 32)
LAB, RIVAL = MemberId(b"l" * 32), MemberId(b"r" * 32)
NO_LIMIT = NanoRho(10**18)


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def debit(
    budget: Any,
    charge: int,
    rho: int,
    *,
    study: StudyId = STUDY,
    researcher: MemberId = LAB,
    limit: NanoRho = NO_LIMIT,
) -> Charge:
    made: Charge = budget.debit(number(charge), study, researcher, NanoRho(rho), study_limit=limit)
    return made


def stored(world: Any) -> tuple[object, ...]:
    return world.budget_store.current, dict(world.budget_store.entries)


def test_debit_repeated_under_one_id_charges_once(world: Any) -> None:
    first = debit(world.budget, 1, 10)
    assert debit(world.budget, 1, 10) == first
    assert world.budget.balance().spent == 10
    for changed in ({"rho": 11}, {"rho": 10, "study": OTHER}, {"rho": 10, "researcher": RIVAL}):
        with pytest.raises(ChargeConflict):
            debit(world.budget, 1, **changed)


def test_debit_over_any_cap_leaves_the_ledger_unchanged_and_says_the_same(world: Any) -> None:
    total = world.policy.rho
    world.policy = replace(world.policy, researcher_epsilon=4_000_000)
    researcher = world.policy.researcher_rho
    budget = world.budget
    debit(budget, 1, researcher - 5)
    debit(budget, 2, total - researcher, study=OTHER, researcher=RIVAL)
    before, told, asked = stored(world), set(), set()
    refusals: tuple[dict[str, Any], ...] = (
        {"rho": 6, "researcher": RIVAL},  # the period
        {"rho": 1, "limit": NanoRho(researcher - 5)},  # the study
        {"rho": 6},  # researcher and period
    )
    for place, refusal in enumerate(refusals):
        world.budget_store.calls.clear()
        with pytest.raises(BudgetExceeded) as refused:
            debit(budget, 10 + place, **refusal)
        told.add(str(refused.value))
        asked.add(tuple(world.budget_store.calls))
    assert len(told) == 1
    assert asked == {("document",)}  # the same work whatever the reason, and nothing written
    assert stored(world) == before
    debit(budget, 4, 5)
    assert world.budget.balance().left == 0


def test_custodians_caps_of_a_study_and_of_a_researcher_stand_beside_the_total(world: Any) -> None:
    world.policy = replace(world.policy, study_epsilon=1_350_000, researcher_epsilon=2_000_000)
    study, researcher = world.policy.study_rho, world.policy.researcher_rho
    assert study < researcher < world.policy.rho
    debit(world.budget, 1, study)
    with pytest.raises(BudgetExceeded):  # whatever its own limit
        debit(world.budget, 2, 1)
    debit(world.budget, 3, study, study=OTHER)
    with pytest.raises(BudgetExceeded):
        debit(world.budget, 4, researcher - 2 * study + 1, study=StudyId(b"3" * 32))
    debit(world.budget, 5, researcher - 2 * study, study=StudyId(b"3" * 32))
    assert world.budget.spent_by_researcher(LAB) == researcher
    debit(world.budget, 6, 1, study=StudyId(b"4" * 32), researcher=RIVAL)
    world.now[0] += world.policy.period_seconds  # a researcher's cap is of a period, a study's of its life
    assert world.budget.spent_by_researcher(LAB) == 0
    with pytest.raises(BudgetExceeded):
        debit(world.budget, 7, 1)
    debit(world.budget, 8, 1, study=StudyId(b"5" * 32))
    assert [charge.charge_id for charge in world.budget.charges_of(LAB)] == [
        number(place) for place in (8, 5, 3, 1)
    ]


def test_limit_of_a_study_holds_over_its_versions_together(world: Any) -> None:
    first, second, third = STUDY, OTHER, StudyId(b"3" * 32)
    debit(world.budget, 1, 60, study=first, limit=NanoRho(100))

    def amended(charge: int, rho: int, study: StudyId, *before: StudyId, limit: int) -> Charge:
        made: Charge = world.budget.debit(
            number(charge), study, LAB, NanoRho(rho), study_limit=NanoRho(limit), before=before
        )
        return made

    with pytest.raises(BudgetExceeded):
        amended(2, 41, second, first, limit=100)
    assert amended(3, 40, second, first, limit=100).study_spent == 40
    with pytest.raises(BudgetExceeded):
        amended(4, 1, third, second, first, limit=100)
    amended(5, 20, third, second, first, limit=120)  # its permit says a higher total
    assert world.budget.spent_over([first, second, third]) == 120
    assert world.budget.spent_over([first, first]) == 60


def test_debit_in_the_next_period_has_the_whole_budget_and_a_clock_set_back_does_not(world: Any) -> None:
    total = world.policy.rho
    debit(world.budget, 1, total)
    world.now[0] += world.policy.period_seconds
    debit(world.budget, 2, total)
    world.now[0] -= 2 * world.policy.period_seconds
    with pytest.raises(BudgetExceeded):
        debit(world.budget, 3, 1)
    assert world.budget_store.entries[1].spent == 2 * total


@pytest.mark.parametrize("shared", [True, False], ids=["one process", "many"])
def test_debit_by_a_thousand_at_once_spends_exactly_what_is_there(world: Any, shared: bool) -> None:
    share = world.policy.rho // 700
    outcomes: list[str] = []
    start = threading.Barrier(20)
    budgets = [world.budget for _ in range(20)]

    def client(place: int) -> None:
        budget = budgets[0 if shared else place]
        start.wait()
        for turn in range(50):
            try:
                debit(budget, place * 50 + turn, share)
                outcomes.append("charged")
            except BudgetExceeded:
                outcomes.append("refused")

    threads = [threading.Thread(target=client, args=(place,)) for place in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    fits = world.policy.rho // share
    assert (outcomes.count("charged"), outcomes.count("refused")) == (fits, 1000 - fits)
    assert world.budget.balance().spent == fits * share
    assert world.budget.open(world.heads.newest).count == fits
    if shared:  # those that came together were charged by one update
        assert world.budget_store.calls.count("swap") <= fits


def test_epsilon_cap_counts_all_charges_since_the_patient_joined_and_a_mark_never_moves(world: Any) -> None:
    early, late = SubjectId(1), SubjectId(2)
    assert world.budget.join([early]) == {early: 0}
    debit(world.budget, 1, 10_000_000)
    assert world.budget.join([early, late]) == {early: 0, late: 10_000_000}
    charge = debit(world.budget, 2, 10_000_000, study=OTHER)
    cap = 700_000  # epsilon 0.7: enough for 0.010 but not for 0.020
    assert world.budget.within_cap(charge, NanoRho(10_000_000), cap)
    assert not world.budget.within_cap(charge, NanoRho(0), cap)
    assert world.budget.within_cap(charge, NanoRho(0), NO_EPSILON_CAP)
    assert not world.budget.within_cap(charge, NanoRho(10_000_000), 0)


@pytest.mark.parametrize("step", ["swap", "archive"])
def test_crash_after_the_update_neither_refunds_nor_charges_again(
    world: Any, step: str, crash: type[BaseException]
) -> None:
    debit(world.budget, 1, 10)
    world.budget_store.crash_after = step
    with pytest.raises(crash):
        debit(world.budget, 2, 10)
    assert world.heads.newest.count == 1
    after = world.budget
    assert after.open(world.heads.newest).count == 2
    assert world.heads.newest.count == 2  # the start says what the crash left unsaid
    assert debit(after, 2, 10).place == 1
    debit(after, 3, 10)
    assert [entry.spent for entry in world.budget_store.entries.values()] == [10, 20, 30]


def test_crashed_leader_leaves_nobody_waiting(world: Any, crash: type[BaseException]) -> None:
    budget, answered = world.budget, []
    world.budget_store.crash_after = "swap"

    def client(place: int) -> None:
        try:
            debit(budget, place, 1)
        except BaseException as failure:  # noqa: BLE001 - a crash, too
            answered.append(failure)
        else:
            answered.append(None)

    threads = [threading.Thread(target=client, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(answered) == 8
    assert sum(isinstance(failure, crash) for failure in answered) == 1


def test_charge_is_answered_only_when_the_log_has_a_head_at_or_past_it(world: Any) -> None:
    budget = world.budget
    charge = debit(budget, 1, 10)
    assert world.heads.newest.digest == charge.digest
    assert (world.heads.newest.count, world.heads.newest.spent) == (1, 10)
    world.heads.broken = True
    with pytest.raises(AuditUnavailable):
        debit(budget, 2, 10)
    with pytest.raises(AuditUnavailable):  # it stands, and is still not in the log
        debit(budget, 2, 10)
    world.heads.broken = False
    assert debit(budget, 2, 10).place == 1
    assert world.heads.newest.count == 2


def rewritten(charges: list[Charge]) -> dict[int, Charge]:
    """Charges that stand in one another's places, with every sum and digest right."""
    chain = Chain("hospital")
    for place, charge in enumerate(charges):
        bare = replace(
            charge,
            place=place,
            spent=NanoRho(chain.spent + charge.rho),
            period_spent=NanoRho(chain.spent_in(charge.period) + charge.rho),
            study_spent=NanoRho(chain.studies.get(charge.study, 0) + charge.rho),
            researcher_spent=NanoRho(chain.spent_by(charge.researcher, charge.period) + charge.rho),
            previous=chain.digest,
        )
        chain.apply(replace(bare, digest=digest_of_charge(bare)))
    return {charge.place: charge for charge in chain.known.values()}


def put(world: Any, entries: dict[int, Charge]) -> None:
    """What somebody with the index's password can do."""
    chain = Chain("hospital")
    for charge in entries.values():
        chain.apply(charge)
    world.budget_store.entries = entries
    world.budget_store.current = LedgerDocument(chain.head, (entries[chain.count - 1],)) if entries else None


def older_copy(world: Any) -> None:
    put(world, rewritten(list(world.budget_store.entries.values())[:2]))


def charge_taken_back(world: Any) -> None:
    entries = list(world.budget_store.entries.values())
    put(world, rewritten([entries[0], entries[2]]))


def charge_made_smaller(world: Any) -> None:
    entries = list(world.budget_store.entries.values())
    put(world, rewritten([entries[0], replace(entries[1], rho=NanoRho(1)), entries[2]]))


def everything_gone(world: Any) -> None:
    put(world, {})


def document_gone(world: Any) -> None:
    world.budget_store.current = None


@pytest.mark.parametrize(
    "manipulate", [older_copy, charge_taken_back, charge_made_smaller, everything_gone, document_gone]
)
def test_ledger_put_back_is_refused_at_start_and_in_the_running_service(
    world: Any, manipulate: Callable[[Any], None]
) -> None:
    running = world.budget
    for place in range(3):
        debit(running, place, 10)
    assert world.budget.open(world.heads.newest).spent == 30
    manipulate(world)
    with pytest.raises(PrivacyLedgerRolledBack):
        world.budget.open(world.heads.newest)
    with pytest.raises(PrivacyLedgerRolledBack):
        debit(running, 9, 10)
    with pytest.raises(PrivacyLedgerRolledBack):
        running.balance()


@pytest.mark.parametrize(
    "field",
    ["rho", "spent", "period_spent", "study_spent", "researcher_spent", "study", "at", "place", "digest"],
)
def test_start_finds_any_altered_field_and_then_gives_no_answer(world: Any, field: str) -> None:
    for place in range(3):
        debit(world.budget, place, 10)
    entry = world.budget_store.entries[1]
    value = getattr(entry, field)
    changed = value - 1 if isinstance(value, int) else b"x" * 32
    world.budget_store.entries[1] = replace(entry, **{field: changed})
    budget = world.budget
    budget.open(world.heads.newest)  # consents and revocations do not rest on it
    world.budget_store.entries[1] = entry
    with pytest.raises(BudgetLedgerDamaged):
        debit(budget, 4, 1)
    with pytest.raises(BudgetLedgerDamaged):
        budget.balance()


def test_missing_entry_of_the_history_is_found(world: Any) -> None:
    for place in range(3):
        debit(world.budget, place, 10)
    del world.budget_store.entries[1]
    with pytest.raises(BudgetLedgerDamaged):
        world.budget.balance()


def test_ledger_of_another_process_is_taken_up_charge_by_charge(world: Any) -> None:
    here, there = world.budget, world.budget
    for place in range(6):
        debit(here if place % 2 else there, place, 10)
    assert here.balance().spent == there.balance().spent == 60
    assert world.budget.open(world.heads.newest).count == 6


def test_balance_reports_epsilon_by_opendps_conversion(world: Any) -> None:
    world.policy = BudgetPolicy("hospital", 1_000_000, 6, 86_400)
    debit(world.budget, 1, world.policy.rho)
    balance = world.budget.balance()
    assert balance.epsilon_spent == balance.epsilon_total == pytest.approx(1.0, abs=1e-5)
    assert balance.left == 0
