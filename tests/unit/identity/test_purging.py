"""Purging: only what has expired goes, a failure of one part stops neither the others nor the next try."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import pytest

from backend.errors import Unavailable
from backend.identity.errors import SignInFailed, SignInLocked
from backend.identity.purging import Purging
from backend.identity.roles import Role
from backend.types import UnixSeconds
from tests.unit.identity.memory import MemorySingleUse
from tests.unit.identity.world import CLINIC, NOW, PASSWORD, PATIENT, World


def purging(world: World, *, used: MemorySingleUse | None = None, interval_seconds: float = 60.0) -> Purging:
    return Purging(
        used=used or world.stores.single_use,
        attempts=world.stores.attempts,
        families=world.stores.families,
        clock=world.clock,
        interval_seconds=interval_seconds,
    )


class Failing(MemorySingleUse):
    """Fails as often as it was told to, then purges."""

    def __init__(self, failure: Exception, times: int) -> None:
        super().__init__()
        self.left = times
        self.purged = threading.Event()
        self._failure = failure

    def purge(self, *, now: UnixSeconds) -> None:
        if self.left > 0:
            self.left -= 1
            raise self._failure
        super().purge(now=now)
        self.purged.set()


def test_purge_forgets_what_expired_and_keeps_the_rest(world: World) -> None:
    used = MemorySingleUse()
    used.consume("sign-in", "old", until=UnixSeconds(NOW))
    used.consume("sign-in", "live", until=UnixSeconds(NOW + 1))
    going = world.sign_in(PATIENT)
    ended = world.sign_in(PATIENT)
    family = world.stores.families.get(ended.family_id)
    assert family is not None
    world.stores.families.insert(replace(family, expires_at=UnixSeconds(NOW)))
    assert purging(world, used=used).purge()
    assert set(used.used) == {"sign-in/live"}
    assert world.stores.families.get(ended.family_id) is None
    assert world.stores.families.get(going.family_id) is not None
    assert world.identity.authenticate(going.access_token)


def test_purge_never_lifts_a_lock_or_forgives_a_failure_early(world: World) -> None:
    world.staff.create("desk", PASSWORD, roles=frozenset({Role.IDENTITY_DESK}), member_id=CLINIC, by="")
    for _ in range(5):
        with pytest.raises(SignInFailed):
            world.staff.sign_in("desk", "wrong")
    world.clock.now += 15 * 60 - 1
    assert purging(world).purge()
    with pytest.raises(SignInLocked):
        world.staff.sign_in("desk", PASSWORD)
    world.clock.now += 1
    assert purging(world).purge()
    world.staff.sign_in("desk", PASSWORD)


@pytest.mark.parametrize("failure", [Unavailable("index"), RuntimeError("a defect")], ids=repr)
def test_purge_that_fails_is_logged_and_the_others_are_done(
    world: World, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    family = world.stores.families.get(world.sign_in(PATIENT).family_id)
    assert family is not None
    world.stores.families.insert(replace(family, expires_at=UnixSeconds(NOW)))
    with caplog.at_level(logging.WARNING, logger="assent.purging"):
        assert not purging(world, used=Failing(failure, 1)).purge()
    assert [record.name for record in caplog.records] == ["assent.purging"]
    assert world.stores.families.get(family.family_id) is None


@pytest.mark.parametrize("failure", [Unavailable("index"), RuntimeError("a defect")], ids=repr)
def test_thread_purges_at_once_outlives_failures_tries_again_and_stops(
    world: World, failure: Exception
) -> None:
    used = Failing(failure, 3)
    used.consume("sign-in", "old", until=UnixSeconds(NOW))
    running = purging(world, used=used, interval_seconds=0.01)
    others = set(threading.enumerate())
    running.start()
    assert used.purged.wait(10)
    running.close()
    assert used.used == {}
    assert set(threading.enumerate()) <= others


def test_thread_stops_without_waiting_for_the_interval(world: World) -> None:
    running = purging(world, interval_seconds=3600)
    others = set(threading.enumerate())
    running.start()
    running.close()
    assert set(threading.enumerate()) <= others
