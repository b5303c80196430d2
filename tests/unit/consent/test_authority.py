"""Whose signature a document needs, and which guardianship is an empty one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.consent.authority import expected_signer
from backend.consent.ledger_types import NOBODY
from backend.consent.recovery_state import RecoveryState, is_for_recovery_alone
from backend.consent.terms import ZERO32, Kind, Power
from backend.types import Address, Bytes32, SubjectId, UnixSeconds
from tests.support.ledger_world import delegation, person

PATIENT = Address("0x" + "Aa" * 20)


def test_guardianship_is_signed_by_the_patient_or_where_there_is_no_account_by_the_guardian() -> None:
    guardian = person()
    named = delegation(SubjectId(1), guardian, kind=Kind.GUARDIANSHIP)
    assert expected_signer(named, PATIENT, ()) == PATIENT
    assert expected_signer(named, NOBODY, ()) == guardian.account
    assert expected_signer(delegation(SubjectId(1), guardian), NOBODY, ()) == NOBODY


@pytest.mark.parametrize(
    ("change", "empty"),
    [
        ({}, True),
        ({"powers": Power.DELEGATE | Power.READ}, False),
        ({"powers": Power.REVOKE}, False),
        ({"depth": 1}, False),
        ({"kind": Kind.DELEGATION}, False),
    ],
)
def test_only_a_power_that_can_be_passed_to_nobody_is_empty(change: dict[str, Any], empty: bool) -> None:
    members: dict[str, Any] = {"powers": Power.DELEGATE, "depth": 0, **change}
    named = replace(delegation(SubjectId(1), person(), kind=Kind.GUARDIANSHIP), **members)
    assert is_for_recovery_alone(named) is empty


STATE = RecoveryState(
    policy=Bytes32(b"\x01" * 32),
    next_policy=Bytes32(b"\x02" * 32),
    next_from=UnixSeconds(100),
    policy_round=2,
    guardians_as_of=UnixSeconds(0),
    controller=PATIENT,
    proposed_at=UnixSeconds(50),
    round=3,
    is_veto_spent=True,
)


def test_waiting_policy_comes_into_force_in_its_second_and_brings_the_veto_back() -> None:
    assert (STATE.in_force(99), STATE.waiting(99)) == (STATE.policy, STATE.next_policy)
    assert (STATE.in_force(100), STATE.waiting(100)) == (STATE.next_policy, None)
    assert (STATE.can_be_stopped(99), STATE.can_be_stopped(100)) == (False, True)
    nothing = replace(STATE, policy=ZERO32, next_policy=ZERO32)
    assert (nothing.in_force(100), nothing.waiting(100)) == (None, None)


def test_recovery_is_pending_until_it_lapses_seven_days_after_the_delay() -> None:
    lapses_at = 50 + 10 + 7 * 86_400
    assert STATE.is_pending(lapses_at - 1, 10)
    assert not STATE.is_pending(lapses_at, 10)
    assert not replace(STATE, controller=NOBODY).is_pending(51, 10)
