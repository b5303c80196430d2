"""Appending: places, chains, guards, time, closing, key rotation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.audit import merkle
from backend.audit.entry import AuditEvent
from backend.audit.errors import (
    AuditClosed,
    EventTooLarge,
)
from backend.audit.leaf import Leaf
from backend.audit.log import AuditLog
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


def test_append_returns_index_and_leaf_hash_of_a_stored_entry(world: World, log: AuditLog) -> None:
    entries = [log.append(read_event(number=n)) for n in range(5)]
    assert [e.index for e in entries] == [0, 1, 2, 3, 4]
    leaves = stored_leaves(world)
    assert [e.leaf_hash for e in entries] == [merkle.leaf_hash(leaf) for leaf in leaves]
    assert log.state.head() == (5, merkle.root([e.leaf_hash for e in entries]))
    head = world.store.head()
    assert head is not None
    assert (head.size, head.root) == log.state.head()


def test_stored_bytes_hold_nothing_of_the_event(world: World, log: AuditLog) -> None:
    event = read_event(number=2**120 + 12345)
    log.append(event)
    raw = repr(world.store.documents).encode() + b"".join(
        part for b in world.store.bundles() for part in (*b.leaves, *b.bodies)
    )
    for secret in (b"TREAT", b"record.read", event.consents[0], ANNA.to_bytes(12, "big"), event.records[0]):
        assert secret not in raw


def test_entries_of_one_patient_are_chained_and_others_are_not_in_that_chain(
    world: World, log: AuditLog
) -> None:
    for subject in (ANNA, BERTA, None, ANNA, None, ANNA):
        log.append(read_event(subject))
    leaves = [Leaf.decode(leaf) for leaf in stored_leaves(world)]
    assert [leaf.sequence for leaf in leaves] == [0, 0, 0, 1, 1, 2]
    assert leaves[3].previous == merkle.leaf_hash(leaves[0].encode())
    assert leaves[5].previous == merkle.leaf_hash(leaves[3].encode())
    assert len({leaf.pseudonym for leaf in leaves}) == 3


def test_append_all_shares_commits_and_answers_each_for_itself(world: World, log: AuditLog) -> None:
    def refuse() -> None:
        raise NotPermitted("overtaken")

    events = [read_event(ANNA if number % 2 else BERTA, number=number) for number in range(200)]
    outcomes = log.append_all([(event, refuse if n == 7 else None) for n, event in enumerate(events)])
    assert isinstance(outcomes[7], NotPermitted)
    entries = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert [entry.index for entry in entries] == list(range(199))
    assert log.commits < 20
    assert log.append_all([]) == []


def test_many_threads_get_one_place_each_in_few_commits(world: World, log: AuditLog) -> None:
    results: list[int] = []
    at_once([lambda: results.append(log.append(read_event()).index) for _ in range(200)])
    assert sorted(results) == list(range(200))
    assert all(len(b.leaves) <= 256 for b in world.store.bundles())


def test_recorded_time_never_goes_back(world: World, log: AuditLog) -> None:
    log.append(read_event())
    world.clock.seconds -= 100
    log.append(read_event())
    first, second = (Leaf.decode(leaf).recorded_at_ms for leaf in stored_leaves(world))
    assert second == first


def test_guard_that_raises_fails_its_own_entry_only(world: World, log: AuditLog) -> None:
    def refuse() -> None:
        raise NotPermitted("a restriction arrived")

    outcomes: list[object] = []

    def append(guard: Callable[[], None]) -> None:
        try:
            outcomes.append(log.append(read_event(), guard=guard))
        except NotPermitted as error:
            outcomes.append(error)

    at_once([lambda n=n: append(refuse if n % 3 == 0 else lambda: None) for n in range(30)])  # type: ignore[misc]
    assert sum(isinstance(o, NotPermitted) for o in outcomes) == 10
    assert log.state.size == 20
    with pytest.raises(NotPermitted):
        log.append(read_event(), guard=refuse)
    assert log.state.size == 20


def test_guard_runs_in_the_sequencer_before_the_commit(world: World, log: AuditLog) -> None:
    seen: list[tuple[str, int]] = []
    log.append(
        read_event(), guard=lambda: seen.append((threading.current_thread().name, world.store.commit_calls))
    )
    assert seen == [("audit-sequencer", 0)]


def test_closed_log_refuses_and_what_was_queued_is_written(world: World, log: AuditLog) -> None:
    results: list[object] = []

    def append() -> None:
        try:
            results.append(log.append(read_event()).index)
        except AuditClosed:
            results.append(None)

    threads = [threading.Thread(target=append) for _ in range(50)]
    for thread in threads:
        thread.start()
    log.close()
    for thread in threads:
        thread.join(timeout=10)
    written = [r for r in results if r is not None]
    assert len(results) == 50
    assert len(written) == len(stored_leaves(world))
    with pytest.raises(AuditClosed):
        log.append(read_event())
    log.close()
    assert world.open().state.size == len(written)  # the lease was given back


def test_log_that_was_not_started_refuses(world: World) -> None:
    log = AuditLog(store=world.store, keys=world.keys, anchor=None, origin="o", clock_ms=world.clock.ms)
    with pytest.raises(AuditClosed):
        log.append(read_event())
    with pytest.raises(AuditClosed):
        _ = log.state
    assert not log.writable


def test_rotation_of_an_audit_key_starts_a_new_chain_that_names_the_old_ones_end(
    world: World, log: AuditLog
) -> None:
    fill(log, 3)
    world.keys.rotate(ANNA)
    fill(log, 2)
    leaves = [Leaf.decode(leaf) for leaf in stored_leaves(world)]
    assert [leaf.sequence for leaf in leaves] == [0, 1, 2, 0, 1]
    assert leaves[3].pseudonym != leaves[2].pseudonym
    assert leaves[3].previous == bytes(32)  # nothing public links the two
    assert world.access(log).gaps(ANNA) == ()
    assert world.access(log).page(ANNA, before=None, limit=10).total == 5


def test_rotation_while_many_append_loses_no_entry(world: World, log: AuditLog) -> None:
    fill(log, 1)

    def work(number: int) -> None:
        if number % 10 == 0:
            world.keys.rotate(ANNA)
        log.append(read_event(number=number))

    at_once([lambda n=n: work(n) for n in range(60)])  # type: ignore[misc]
    assert log.state.size == 61
    assert world.access(log).gaps(ANNA) == ()
    log.close()
    assert world.open().state.size == 61


def test_too_large_an_event_leaves_the_log_as_it_was(log: AuditLog) -> None:
    event: AuditEvent = replace(read_event(), segments=(bytes(64),) * 400)
    with pytest.raises(EventTooLarge):
        log.append(event)
    assert log.state.size == 0
