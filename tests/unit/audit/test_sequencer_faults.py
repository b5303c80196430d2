"""Lost answers, two writers and repeated acts: nothing is lost, nothing is written twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.audit.errors import (
    AuditFenced,
    AuditUnavailable,
    EntryDamaged,
    InvalidEvent,
    LeaseHeld,
)
from backend.audit.log import AuditLog
from backend.audit.types import Bundle, Head
from backend.errors import NotPermitted
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, read_event


def fill(log: AuditLog, count: int, *, subject: object = ANNA) -> None:
    for number in range(count):
        log.append(read_event(ANNA if subject is ANNA else BERTA, number=number))


def stored_leaves(world: World) -> list[bytes]:
    return [leaf for bundle in world.store.bundles() for leaf in bundle.leaves]


def at_once(calls: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_lost_answer_of_a_commit_that_landed_is_found_and_not_repeated(world: World, log: AuditLog) -> None:
    fill(log, 2)
    world.store.lose, world.store.lose_after = 1, True
    assert log.append(read_event()).index == 2
    assert world.store.commit_calls == 3
    assert log.append(read_event()).index == 3
    assert len(stored_leaves(world)) == 4


def test_lost_commit_is_sent_again_and_its_guard_asked_again(world: World, log: AuditLog) -> None:
    fill(log, 2)
    world.store.lose, world.store.lose_after = 2, False
    asked: list[int] = []
    assert log.append(read_event(), guard=lambda: asked.append(1)).index == 2
    assert len(asked) == 3
    assert len(stored_leaves(world)) == 3


def test_restriction_that_arrives_while_the_store_fails_stops_the_entry(world: World, log: AuditLog) -> None:
    world.store.lose, world.store.lose_after = 1, False
    calls: list[int] = []

    def guard() -> None:
        calls.append(1)
        if len(calls) > 1:
            raise NotPermitted

    with pytest.raises(NotPermitted):
        log.append(read_event(), guard=guard)
    assert log.state.size == 0


@pytest.mark.parametrize("landed", [True, False])
def test_store_that_stays_away_fails_the_append_and_the_log_goes_on_after(world: World, landed: bool) -> None:
    log = world.open(settle_seconds=0.1)
    fill(log, 1)
    real_commit = world.store.commit

    def commit_and_vanish(head: Head, bundle: Bundle, *, expires_ms: int) -> Head:
        if landed:
            real_commit(head, bundle, expires_ms=expires_ms)
        world.store.down = True
        raise AuditUnavailable

    world.store.commit = commit_and_vanish  # type: ignore[method-assign]
    with pytest.raises(AuditUnavailable):
        log.append(read_event(number=7))
    with pytest.raises(AuditUnavailable):
        log.append(read_event(number=8))
    world.store.commit = real_commit  # type: ignore[method-assign]
    world.store.down = False
    # whether the unanswered entry is there is now certain, and it is there at most once
    assert log.append(read_event(number=9)).index == (2 if landed else 1)
    assert len(stored_leaves(world)) == log.state.size
    assert log.writable


def test_two_writers_cannot_fork_the_log(world: World, log: AuditLog) -> None:
    fill(log, 3)
    with pytest.raises(LeaseHeld):
        world.open()
    other = world.open(takeover=True)
    assert other.append(read_event()).index == 3
    with pytest.raises(AuditFenced):
        log.append(read_event())
    with pytest.raises(AuditFenced):
        log.append(read_event())
    assert not log.writable
    assert other.append(read_event()).index == 4
    assert other.state.head()[0] == len(stored_leaves(world)) == 5


def test_commit_that_another_writer_overtook_is_never_taken_for_ours(world: World, log: AuditLog) -> None:
    fill(log, 1)
    real_commit = world.store.commit
    others: list[AuditLog] = []

    def overtaken(head: Head, bundle: Bundle, *, expires_ms: int) -> Head:
        world.store.commit = real_commit  # type: ignore[method-assign]
        others.append(world.open(takeover=True))
        others[0].append(read_event(BERTA))
        raise AuditUnavailable  # our own request was lost

    world.store.commit = overtaken  # type: ignore[method-assign]
    with pytest.raises(AuditFenced):
        log.append(read_event())
    assert len(stored_leaves(world)) == 2


def test_act_repeated_after_a_restart_gives_the_entry_written_before(world: World, log: AuditLog) -> None:
    act = b"\xac" * 16
    first = log.append(read_event(), act=act)
    fill(log, 3)
    again = log.append(read_event(), act=act)
    assert (again.index, again.leaf_hash, again.repeated) == (first.index, first.leaf_hash, True)
    log.close()
    reopened = world.open()
    assert reopened.append(read_event(), act=act) == again
    assert reopened.append(read_event(), act=b"\xad" * 16).repeated is False
    assert reopened.state.size == 5
    with pytest.raises(InvalidEvent):
        reopened.append(read_event(), act=b"short")


def test_act_that_the_store_only_claims_was_written_is_refused(world: World, log: AuditLog) -> None:
    log.append(read_event(), act=b"\xac" * 16)
    log.append(read_event(BERTA))
    log.close()
    pending = b"\xad" * 16
    for place in (0, 1):
        there = world.store.documents[place]
        world.store.documents[place] = replace(there, acts=(pending,))
        again = world.open()
        with pytest.raises(EntryDamaged):
            again.append(read_event(), act=pending)
        again.close()
        world.store.documents[place] = there


def test_act_given_by_two_threads_at_once_is_written_once(world: World, log: AuditLog) -> None:
    results: list[bool] = []
    at_once([lambda: results.append(log.append(read_event(), act=b"\xac" * 16).repeated) for _ in range(40)])
    assert sorted(results) == [False] + [True] * 39
    assert log.state.size == 1


def test_unexpected_defect_answers_every_caller(world: World, log: AuditLog) -> None:
    def broken(*_: object, **__: object) -> Head:
        raise RuntimeError("defect")

    real = world.store.commit
    world.store.commit = broken  # type: ignore[method-assign]
    with pytest.raises(AuditUnavailable):
        log.append(read_event())
    world.store.commit = real  # type: ignore[method-assign]
    assert log.append(read_event()).index == 0
