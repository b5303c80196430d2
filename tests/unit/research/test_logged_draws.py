"""What was drawn under a charge stands in the audit log, however long the log has become."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.audit.errors import EntryDamaged
from backend.audit.log import AuditLog
from backend.audit.search import LogSearch
from backend.research.charges import Chain, Wanted
from backend.research.logged_draws import LoggedDraws
from backend.research.types import Charge, NanoRho, StudyId
from backend.types import MemberId, UnixSeconds
from tests.support.audit_world import World
from tests.support.memory_audit import read_event


def charge(number: int, world: World) -> Charge:
    wanted = Wanted(bytes([number]) * 32, StudyId(b"s" * 32), MemberId(b"m" * 32), NanoRho(5), NanoRho(10))
    return Chain("hospital").next(wanted, period=0, at=UnixSeconds(world.clock()))


def draws(world: World, log: AuditLog) -> LoggedDraws:
    search = LogSearch(world.reader(log), subjects=lambda: ())
    return LoggedDraws(log=log, search=search, clock=world.clock)


def test_charge_is_drawn_once_the_log_says_so_and_for_good() -> None:
    world = World()
    log = world.open()
    one, other = charge(1, world), charge(2, world)
    assert not draws(world, log).has(one)
    draws(world, log).note(one.charge_id)
    world.clock.seconds += 40 * 86_400
    for number in range(1_500):
        log.append(replace(read_event(number=number), subject=None))
    assert draws(world, log).has(one)
    assert not draws(world, log).has(other)
    log.close()
    log = world.open()
    assert draws(world, log).has(one)
    log.close()


def test_log_that_cannot_be_read_on_the_way_does_not_tell_that_nothing_was_drawn() -> None:
    world = World()
    log = world.open()
    one = charge(1, world)
    draws(world, log).note(one.charge_id)
    (first, bundle), *_ = world.store.documents.items()
    world.store.documents[first] = replace(bundle, bodies=tuple(bytes(len(body)) for body in bundle.bodies))
    with pytest.raises(EntryDamaged):
        draws(world, log).has(one)
    log.close()
