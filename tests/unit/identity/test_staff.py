"""Staff accounts: passwords, the lock after five failures, and what one can learn from answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.errors import InvalidInput, Unavailable
from backend.identity.errors import (
    AccountChanged,
    IdentityRecordTampered,
    PasswordUnacceptable,
    RefreshTokenInvalid,
    SignInFailed,
    SignInLocked,
    TokenRevoked,
    UsernameInvalid,
    UsernameTaken,
)
from backend.identity.passwords import Passwords
from backend.identity.roles import Role, Scope
from backend.identity.types import StaffAccount
from tests.support.memory_keys import MemoryKeyStore
from tests.unit.identity.memory import MemoryStaffStore
from tests.unit.identity.world import CLINIC, PASSWORD, World, at_once

NEW_PASSWORD = "a rather different sentence"
DESK = frozenset({Role.IDENTITY_DESK})


def _desk(world: World, name: str = "desk@hospital") -> StaffAccount:
    return world.staff.create(name, PASSWORD, roles=DESK, member_id=CLINIC, by="")


def test_sign_in_right_password_gives_the_scopes_of_the_roles(world: World) -> None:
    account = _desk(world)
    principal = world.identity.authenticate(world.staff.sign_in("Desk@Hospital", PASSWORD).access_token)
    assert principal.id == account.staff_id
    assert principal.scopes == {Scope.ENROLMENT_ISSUE, Scope.PAPER_HANDLE}
    assert principal.member_id == CLINIC


def test_sign_in_wrong_password_and_unknown_name_answer_alike(world: World) -> None:
    _desk(world)
    answers = []
    for name in ("desk@hospital", "nobody", "bad name\0", "\ud800"):
        with pytest.raises(SignInFailed) as refusal:
            world.staff.sign_in(name, "wrong")
        answers.append((refusal.value.code, refusal.value.detail, refusal.value.field))
    assert len(set(answers)) == 1


def test_sign_in_hashes_once_whether_or_not_the_name_exists(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _desk(world)
    hashed: list[bool] = []
    real = Passwords.matches

    def counted(self: Passwords, password: str, stored: str | None) -> bool:
        hashed.append(stored is None)
        return real(self, password, stored)

    monkeypatch.setattr(Passwords, "matches", counted)
    for name in ("desk@hospital", "nobody"):
        with pytest.raises(SignInFailed):
            world.staff.sign_in(name, "wrong")
    assert hashed == [False, True]


@pytest.mark.parametrize("name", ["desk@hospital", "nobody"])
def test_sign_in_fifth_failure_locks_for_fifteen_minutes_alike(world: World, name: str) -> None:
    _desk(world)
    for _ in range(5):
        with pytest.raises(SignInFailed):
            world.staff.sign_in(name, "wrong")
    with pytest.raises(SignInLocked):
        world.staff.sign_in(name, PASSWORD)
    world.clock.now += 15 * 60 - 1
    with pytest.raises(SignInLocked):
        world.staff.sign_in(name, PASSWORD)
    world.clock.now += 1
    if name == "nobody":
        with pytest.raises(SignInFailed):
            world.staff.sign_in(name, PASSWORD)
    else:
        world.staff.sign_in(name, PASSWORD)


def test_sign_in_success_forgets_earlier_failures(world: World) -> None:
    _desk(world)
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(SignInFailed):
                world.staff.sign_in("desk@hospital", "wrong")
        world.staff.sign_in("desk@hospital", PASSWORD)


def test_sign_in_twenty_guesses_at_once_lets_five_be_looked_at(world: World) -> None:
    _desk(world)
    _, refused = at_once(20, lambda _: world.staff.sign_in("desk@hospital", "wrong"))
    codes = [refusal.code for refusal in refused]
    assert codes.count(SignInFailed.code) == 5
    assert codes.count(SignInLocked.code) == 15


def test_sign_in_disabled_account_answers_as_a_wrong_password(world: World) -> None:
    account = _desk(world)
    world.staff.disable(account.staff_id, by="staff:ff")
    with pytest.raises(SignInFailed):
        world.staff.sign_in("desk@hospital", PASSWORD)
    world.staff.enable(account.staff_id, by="staff:ff")
    world.staff.sign_in("desk@hospital", PASSWORD)


def test_disable_ends_access_and_refresh_tokens(world: World) -> None:
    account = _desk(world)
    pair = world.staff.sign_in("desk@hospital", PASSWORD)
    world.staff.disable(account.staff_id, by="staff:ff")
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(pair.access_token)
    with pytest.raises(RefreshTokenInvalid):
        world.tokens.refresh(pair.refresh_token or "")


def test_disable_that_crashed_before_it_ended_the_sessions_still_refuses_a_refresh(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = _desk(world)
    pair = world.staff.sign_in("desk@hospital", PASSWORD)

    def crash(*_: object, **__: object) -> int:
        raise Unavailable

    monkeypatch.setattr(world.tokens, "end_all", crash)
    with pytest.raises(Unavailable):
        world.staff.disable(account.staff_id, by="staff:ff")
    with pytest.raises(RefreshTokenInvalid):
        world.tokens.refresh(pair.refresh_token or "")
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(pair.access_token)


def test_disable_while_signing_in_leaves_no_session(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = _desk(world)
    start = world.tokens.start

    def disabled_first(*args: object, **members: object) -> object:
        world.staff.disable(account.staff_id, by="staff:ff")
        return start(*args, **members)  # type: ignore[arg-type]

    monkeypatch.setattr(world.tokens, "start", disabled_first)
    with pytest.raises(SignInFailed):
        world.staff.sign_in("desk@hospital", PASSWORD)
    families = world.stores.families.rows.values()  # type: ignore[attr-defined]
    assert all(family.ended for family in families)


def test_change_password_needs_the_old_one_and_ends_sessions(world: World) -> None:
    account = _desk(world)
    pair = world.staff.sign_in("desk@hospital", PASSWORD)
    with pytest.raises(SignInFailed):
        world.staff.change_password(account.staff_id, old="wrong", new=NEW_PASSWORD)
    world.staff.change_password(account.staff_id, old=PASSWORD, new=NEW_PASSWORD)
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(pair.access_token)
    with pytest.raises(SignInFailed):
        world.staff.sign_in("desk@hospital", PASSWORD)
    world.staff.sign_in("desk@hospital", NEW_PASSWORD)


def test_change_password_counts_failures_towards_the_lock(world: World) -> None:
    account = _desk(world)
    for _ in range(5):
        with pytest.raises(SignInFailed):
            world.staff.change_password(account.staff_id, old="wrong", new=NEW_PASSWORD)
    with pytest.raises(SignInLocked):
        world.staff.change_password(account.staff_id, old=PASSWORD, new=NEW_PASSWORD)


def test_reset_password_lifts_the_lock(world: World) -> None:
    account = _desk(world)
    for _ in range(5):
        with pytest.raises(SignInFailed):
            world.staff.sign_in("desk@hospital", "wrong")
    world.staff.reset_password(account.staff_id, NEW_PASSWORD, by="staff:ff")
    world.staff.sign_in("desk@hospital", NEW_PASSWORD)


@pytest.mark.parametrize("password", ["short", "a" * 14, "a" * 20, "x" * 129, "desk@hospital and more words"])
def test_create_bad_password_is_refused(world: World, password: str) -> None:
    with pytest.raises(PasswordUnacceptable):
        world.staff.create("desk@hospital", password, roles=DESK, by="")


@pytest.mark.parametrize("name", ["", "ab", "with space", "quote'", "ü-mlaut", "x" * 65, "$ne"])
def test_create_bad_username_is_refused(world: World, name: str) -> None:
    with pytest.raises(UsernameInvalid):
        world.staff.create(name, PASSWORD, roles=DESK, by="")


@pytest.mark.parametrize("roles", [frozenset(), {Role.PATIENT}, {Role.AUDITOR, Role.DEVICE_GATEWAY}])
def test_create_with_a_role_that_staff_cannot_have_is_refused(world: World, roles: set[Role]) -> None:
    with pytest.raises(InvalidInput):
        world.staff.create("desk@hospital", PASSWORD, roles=frozenset(roles), by="")


def test_create_same_name_in_other_case_is_refused(world: World) -> None:
    _desk(world)
    with pytest.raises(UsernameTaken):
        _desk(world, "DESK@hospital")


def test_set_roles_ends_sessions_with_the_old_roles(world: World) -> None:
    account = _desk(world)
    pair = world.staff.sign_in("desk@hospital", PASSWORD)
    world.staff.set_roles(account.staff_id, frozenset({Role.AUDITOR}), by="staff:ff")
    with pytest.raises(TokenRevoked):
        world.identity.authenticate(pair.access_token)


def test_change_of_a_stale_revision_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = _desk(world)
    stale = world.staff.get(account.staff_id)
    world.staff.set_roles(account.staff_id, frozenset({Role.AUDITOR}), by="staff:ff")
    monkeypatch.setattr(world.staff, "get", lambda _: stale)
    with pytest.raises(AccountChanged):
        world.staff.set_roles(account.staff_id, frozenset({Role.OPERATOR}), by="staff:ff")


def test_account_changed_in_the_index_is_found(world: World) -> None:
    account = _desk(world)
    store = world.stores.staff
    assert isinstance(store, MemoryStaffStore)
    store.rows[account.staff_id] = replace(store.rows[account.staff_id], roles=frozenset({Role.OPERATOR}))
    with pytest.raises(IdentityRecordTampered):
        world.staff.sign_in("desk@hospital", PASSWORD)


def test_account_of_another_deployment_put_into_the_index_is_found(world: World) -> None:
    other = World()
    store = world.stores.staff
    assert isinstance(store, MemoryStaffStore)
    foreign = _desk(other)
    store.rows[foreign.staff_id] = foreign
    with pytest.raises(IdentityRecordTampered):
        world.staff.sign_in("desk@hospital", PASSWORD)


def test_hash_is_argon2id_with_its_own_salt_and_the_key_stores_secret() -> None:
    passwords = Passwords(MemoryKeyStore())
    first, second = passwords.hash(PASSWORD), passwords.hash(PASSWORD)
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert passwords.matches(PASSWORD, first)
    assert not passwords.matches(PASSWORD + "x", first)
    assert not Passwords(MemoryKeyStore()).matches(PASSWORD, first)
    assert not passwords.matches(PASSWORD, None)


def test_hash_takes_what_different_keyboards_send_alike() -> None:
    passwords = Passwords(MemoryKeyStore())
    assert passwords.matches("cafe\u0301 au lait for two", passwords.hash("caf\u00e9 au lait for two"))


def test_sign_in_renews_a_hash_of_another_cost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = _desk(world)
    monkeypatch.setattr(Passwords, "is_outdated", lambda *_: True)
    world.staff.sign_in("desk@hospital", PASSWORD)
    renewed = world.staff.get(account.staff_id)
    assert (renewed.revision, renewed.password != account.password) == (2, True)


def test_repr_shows_no_hash(world: World) -> None:
    assert "argon2" not in repr(_desk(world))
