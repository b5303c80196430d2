"""The ledger never spends twice, never refunds, refuses before writing, and finds what was altered."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from backend.research.budget import BudgetPolicy, PrivacyBudget
from backend.research.errors import BudgetExceeded, BudgetLedgerDamaged, ChargeConflict
from backend.research.types import NO_EPSILON_CAP, NanoRho, StudyId
from backend.types import SubjectId

STUDY, OTHER = StudyId(b"1" * 32), StudyId(b"2" * 32)
NO_LIMIT = NanoRho(10**18)


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def test_debit_repeated_under_one_id_charges_once(world: Any) -> None:
    first = world.budget.debit(number(1), STUDY, NanoRho(10), study_limit=NO_LIMIT)
    assert world.budget.debit(number(1), STUDY, NanoRho(10), study_limit=NO_LIMIT) == first
    assert world.budget.balance().spent == 10
    with pytest.raises(ChargeConflict):
        world.budget.debit(number(1), STUDY, NanoRho(11), study_limit=NO_LIMIT)
    with pytest.raises(ChargeConflict):
        world.budget.debit(number(1), OTHER, NanoRho(10), study_limit=NO_LIMIT)


def test_debit_over_the_period_or_the_study_leaves_the_ledger_unchanged(world: Any) -> None:
    total = world.policy.rho
    world.budget.debit(number(1), STUDY, NanoRho(total - 5), study_limit=NO_LIMIT)
    before = list(world.budget_store.entries)
    with pytest.raises(BudgetExceeded) as by_period:
        world.budget.debit(number(2), OTHER, NanoRho(6), study_limit=NO_LIMIT)
    with pytest.raises(BudgetExceeded) as by_study:
        world.budget.debit(number(3), STUDY, NanoRho(1), study_limit=NanoRho(total - 5))
    assert str(by_period.value) == str(by_study.value)
    assert world.budget_store.entries == before
    world.budget.debit(number(4), OTHER, NanoRho(5), study_limit=NanoRho(5))
    assert world.budget.balance().left == 0


def test_debit_in_the_next_period_has_the_whole_budget_and_a_clock_set_back_does_not(world: Any) -> None:
    total = world.policy.rho
    world.budget.debit(number(1), STUDY, total, study_limit=NO_LIMIT)
    world.now[0] += world.policy.period_seconds
    world.budget.debit(number(2), STUDY, total, study_limit=NO_LIMIT)
    world.now[0] -= 2 * world.policy.period_seconds
    with pytest.raises(BudgetExceeded):
        world.budget.debit(number(3), STUDY, NanoRho(1), study_limit=NO_LIMIT)
    assert world.budget_store.entries[-1].spent == 2 * total


def test_debit_by_32_clients_at_once_spends_exactly_what_is_there(world: Any) -> None:
    share = NanoRho(world.policy.rho // 20)
    outcomes: list[str] = []
    start = threading.Barrier(32)

    def client(place: int) -> None:
        budget = PrivacyBudget(store=world.budget_store, policy=world.policy, clock=lambda: world.now[0])
        start.wait()
        try:
            budget.debit(number(place), STUDY, share, study_limit=NO_LIMIT)
            outcomes.append("charged")
        except BudgetExceeded:
            outcomes.append("refused")

    threads = [threading.Thread(target=client, args=(place,)) for place in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("charged") == 20
    assert outcomes.count("refused") == 12
    assert world.budget.balance().spent == 20 * share
    assert world.budget.verify() == world.budget_store.entries[-1]


def test_epsilon_cap_counts_all_charges_since_the_patient_joined_and_a_mark_never_moves(world: Any) -> None:
    early, late = SubjectId(1), SubjectId(2)
    assert world.budget.join([early]) == {early: 0}
    world.budget.debit(number(1), STUDY, NanoRho(10_000_000), study_limit=NO_LIMIT)
    assert world.budget.join([early, late]) == {early: 0, late: 10_000_000}
    charge = world.budget.debit(number(2), OTHER, NanoRho(10_000_000), study_limit=NO_LIMIT)
    cap = 700_000  # epsilon 0.7: enough for 0.010 but not for 0.020
    assert world.budget.within_cap(charge, NanoRho(10_000_000), cap)
    assert not world.budget.within_cap(charge, NanoRho(0), cap)
    assert world.budget.within_cap(charge, NanoRho(0), NO_EPSILON_CAP)
    assert not world.budget.within_cap(charge, NanoRho(10_000_000), 0)


@pytest.mark.parametrize(
    "field", ["rho", "spent", "period_spent", "study_spent", "study", "at", "place", "digest"]
)
def test_verify_finds_any_altered_field(world: Any, field: str) -> None:
    for place in range(3):
        world.budget.debit(number(place), STUDY, NanoRho(10), study_limit=NO_LIMIT)
    assert world.budget.verify().spent == 30
    entry = world.budget_store.entries[1]
    value = getattr(entry, field)
    changed = value - 1 if isinstance(value, int) else b"x" * 32
    world.budget_store.entries[1] = replace(entry, **{field: changed})
    with pytest.raises(BudgetLedgerDamaged):
        world.budget.verify()


def test_verify_finds_a_missing_entry(world: Any) -> None:
    for place in range(3):
        world.budget.debit(number(place), STUDY, NanoRho(10), study_limit=NO_LIMIT)
    del world.budget_store.entries[1]
    with pytest.raises(BudgetLedgerDamaged):
        world.budget.verify()


def test_balance_reports_epsilon_by_opendps_conversion(world: Any) -> None:
    world.policy = BudgetPolicy("hospital", 1_000_000, 6, 86_400)
    world.budget.debit(number(1), STUDY, world.policy.rho, study_limit=NO_LIMIT)
    balance = world.budget.balance()
    assert balance.epsilon_spent == balance.epsilon_total == pytest.approx(1.0, abs=1e-5)
    assert balance.left == 0
