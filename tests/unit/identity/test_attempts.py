"""Retries of what makes accounts, clients and secrets: the same answer, one thing, one entry in the log."""

from __future__ import annotations

from typing import Any

import pytest

from backend.idempotency import Attempt, IdempotencyKeyReused
from backend.identity.errors import ClientSecretNotShown, UsernameTaken
from backend.identity.roles import Role
from backend.identity.types import Client, StaffAccount
from backend.types import UnixSeconds
from tests.unit.identity.world import CLINIC, NOW, PASSWORD, World, at_once

NEW_PASSWORD = "a rather different sentence"
FIRST = Attempt(UnixSeconds(NOW), b"seed" * 8)
RETRY = Attempt(UnixSeconds(NOW), b"seed" * 8, finished=True)
DESK = frozenset({Role.IDENTITY_DESK})


def _desk(world: World) -> StaffAccount:
    return world.staff.create("desk@hospital", PASSWORD, roles=DESK, member_id=CLINIC, by="")


def _attempted(world: World, attempt: Attempt, password: str = PASSWORD) -> StaffAccount:
    return world.staff.create("desk@hospital", password, roles=DESK, member_id=CLINIC, by="", attempt=attempt)


def test_create_again_gives_the_account_and_is_audited_once(world: World) -> None:
    first = _attempted(world, FIRST)
    assert _attempted(world, RETRY) == first
    assert world.audit.names() == ["staff_changed"]
    world.audit.events.clear()
    assert _attempted(world, FIRST) == first  # a crash came before the entry
    assert world.audit.names() == ["staff_changed"]
    with pytest.raises(UsernameTaken):
        _desk(world)


def test_create_again_with_another_password_is_refused(world: World) -> None:
    _attempted(world, FIRST)
    with pytest.raises(IdempotencyKeyReused):
        _attempted(world, RETRY, NEW_PASSWORD)


def test_create_again_is_no_way_to_guess_a_password_that_the_person_chose(world: World) -> None:
    account = _attempted(world, FIRST)
    world.staff.change_password(account.staff_id, old=PASSWORD, new=NEW_PASSWORD)
    now = world.staff.get(account.staff_id)
    for guess in (PASSWORD, NEW_PASSWORD, "some other long password"):
        assert _attempted(world, RETRY, guess) == now


def test_create_at_once_with_one_attempt_makes_one_account(world: World) -> None:
    made, refused = at_once(4, lambda _: _attempted(world, FIRST))
    assert (len({account.staff_id for account in made}), refused) == (1, [])


def _clinic(world: World, **members: Any) -> tuple[Client, str]:
    roles = frozenset({Role.PROVIDER})
    return world.clients.register("clinic", roles=roles, member_id=CLINIC, by="", **members)


def test_register_again_shows_the_same_client_and_secret_and_is_audited_once(world: World) -> None:
    first = _clinic(world, attempt=FIRST)
    assert _clinic(world, attempt=RETRY) == first
    assert world.audit.names() == ["client_changed"]
    assert len(world.clients.all()) == 1


def test_register_again_after_a_crash_before_the_audit_writes_the_entry(world: World) -> None:
    first = _clinic(world, attempt=FIRST)
    world.audit.events.clear()
    assert _clinic(world, attempt=FIRST) == first
    assert world.audit.names() == ["client_changed"]


def test_register_again_after_a_rotation_or_a_day_shows_no_secret(world: World) -> None:
    client, _ = _clinic(world, attempt=FIRST)
    world.clock.now += 24 * 3600
    _clinic(world, attempt=RETRY)
    world.clock.now += 1
    with pytest.raises(ClientSecretNotShown):
        _clinic(world, attempt=RETRY)
    world.clock.now = NOW
    world.clients.rotate_secret(client.client_id, overlap_seconds=60, by="")
    with pytest.raises(ClientSecretNotShown):
        _clinic(world, attempt=RETRY)


def test_register_at_once_with_one_attempt_makes_one_client(world: World) -> None:
    made, refused = at_once(8, lambda _: _clinic(world, attempt=FIRST))
    assert (len({(client.client_id, secret) for client, secret in made}), refused) == (1, [])
    assert len(world.clients.all()) == 1


@pytest.mark.parametrize("retry", [FIRST, RETRY], ids=["after a crash", "finished"])
def test_rotate_secret_again_keeps_the_overlap_of_the_first_secret(world: World, retry: Attempt) -> None:
    client, original = _clinic(world)
    secret = world.clients.rotate_secret(client.client_id, overlap_seconds=60, by="", attempt=FIRST)
    assert world.clients.rotate_secret(client.client_id, overlap_seconds=60, by="", attempt=retry) == secret
    for either in (original, secret):
        world.clients.sign_in(client.client_id, either)


def test_rotate_secret_again_after_another_rotation_shows_no_secret_and_changes_nothing(world: World) -> None:
    client, _ = _clinic(world)
    world.clients.rotate_secret(client.client_id, overlap_seconds=0, by="", attempt=FIRST)
    other = world.clients.rotate_secret(client.client_id, overlap_seconds=0, by="")
    with pytest.raises(ClientSecretNotShown):
        world.clients.rotate_secret(client.client_id, overlap_seconds=0, by="", attempt=RETRY)
    world.clients.sign_in(client.client_id, other)
