"""What keeps operators from locking everybody out, and what a person may change alone."""

from __future__ import annotations

import pytest

from backend.errors import NotPermitted
from backend.identity.errors import LastOperator, SignInFailed
from backend.identity.roles import Role
from backend.identity.types import StaffAccount
from tests.unit.identity.world import CLINIC, PASSWORD, PATIENT, World, at_once

NEW_PASSWORD = "a rather different sentence"
OPERATOR = frozenset({Role.OPERATOR})
DESK = frozenset({Role.IDENTITY_DESK})


def _desk(world: World) -> StaffAccount:
    return world.staff.create("desk@hospital", PASSWORD, roles=DESK, member_id=CLINIC, by="")


def _operator(world: World, name: str) -> StaffAccount:
    return world.staff.create(name, PASSWORD, roles=OPERATOR, member_id=CLINIC, by="")


def test_last_enabled_operator_can_neither_be_disabled_nor_lose_the_role(world: World) -> None:
    first, second = _operator(world, "first"), _operator(world, "second")
    world.staff.disable(second.staff_id, by="")
    with pytest.raises(LastOperator):
        world.staff.disable(first.staff_id, by="")
    with pytest.raises(LastOperator):
        world.staff.set_roles(first.staff_id, DESK, by="")
    world.staff.set_roles(first.staff_id, OPERATOR | DESK, by="")
    world.staff.enable(second.staff_id, by="")
    world.staff.disable(first.staff_id, by="")
    world.staff.sign_in("second", PASSWORD)


def test_operators_taken_away_at_once_leave_one(world: World) -> None:
    operators = [_operator(world, f"operator-{number}") for number in range(6)]
    _, refused = at_once(6, lambda number: world.staff.disable(operators[number].staff_id, by=""))
    assert [refusal.code for refusal in refused] == [LastOperator.code]
    assert sum(not account.disabled for account in world.staff.all()) == 1


def test_somebody_else_can_be_disabled_while_there_is_no_operator(world: World) -> None:
    account = _desk(world)
    assert world.staff.disable(account.staff_id, by="").disabled


def test_change_of_the_own_password_needs_the_old_one_and_a_person(world: World) -> None:
    _desk(world)
    principal = world.identity.authenticate(world.staff.sign_in("desk@hospital", PASSWORD).access_token)
    with pytest.raises(SignInFailed):
        world.identity.change_own_password(principal, old="wrong", new=NEW_PASSWORD)
    world.identity.change_own_password(principal, old=PASSWORD, new=NEW_PASSWORD)
    world.staff.sign_in("desk@hospital", NEW_PASSWORD)
    patient = world.identity.authenticate(world.sign_in(PATIENT).access_token)
    with pytest.raises(NotPermitted):
        world.identity.change_own_password(patient, old=PASSWORD, new=NEW_PASSWORD)
