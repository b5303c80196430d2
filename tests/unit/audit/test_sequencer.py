"""The sequencer's promises, one by one: see ``docs/audit.md``, "Writing"."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from backend.audit import merkle
from backend.audit.anchorer import Anchorer
from backend.audit.errors import AuditFenced, LeaseHeld
from backend.audit.log import AuditLog
from backend.audit.sequencer import Reply
from backend.audit.types import MAX_BUNDLE_ENTRIES, Bundle, Head
from backend.consent.errors import RestrictionArrived
from backend.consent.restrictions import RestrictionQueue
from backend.settings import Settings
from backend.types import ConsentId, QueuePosition
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, read_event

CONSENT = ConsentId(b"\xc0" * 32)


def submit(log: AuditLog, count: int) -> list[Reply]:
    replies = [Reply() for _ in range(count)]
    prepared = [
        log.prepare(read_event(number=number), guard=None, answer=reply.give)
        for number, reply in enumerate(replies)
    ]
    log.submit(prepared)
    return replies


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_group_commit_takes_256_entries_at_most_in_their_order(world: World, log: AuditLog) -> None:
    replies = submit(log, 600)
    indexes = [entry.index for reply in replies if (entry := reply.wait(10)) is not None]
    assert indexes == list(range(600))
    sizes = [len(bundle.leaves) for bundle in world.store.bundles()]
    assert max(sizes) == MAX_BUNDLE_ENTRIES == 256
    assert sum(sizes) == 600
    assert len(sizes) <= 4  # the first may find one entry only


def test_what_queues_up_during_a_commit_is_the_next_one_and_nothing_waits_for_more(
    world: World, log: AuditLog
) -> None:
    inside, go_on = threading.Event(), threading.Event()
    commit = world.store.commit

    def slow(head: Head, bundle: Bundle, *, expires_ms: int) -> Head:
        inside.set()
        assert go_on.wait(5)
        return commit(head, bundle, expires_ms=expires_ms)

    world.store.commit = slow  # type: ignore[method-assign]
    (first,) = submit(log, 1)
    assert inside.wait(5)
    later = submit(log, 100)
    go_on.set()
    for reply in (first, *later):
        assert reply.wait(5) is not None
    assert [len(bundle.leaves) for bundle in world.store.bundles()] == [1, 100]


def test_single_append_does_not_wait_for_a_group(log: AuditLog) -> None:
    log.append(read_event())
    spent = []
    for number in range(50):
        started = time.perf_counter()
        log.append(read_event(number=number))
        spent.append(time.perf_counter() - started)
    assert sorted(spent)[25] < 0.02  # 20 ms is a bound, and no wait: in memory it is far below


def test_entry_is_durable_before_append_returns(world: World, log: AuditLog) -> None:
    entry = log.append(read_event())
    head = world.store.head()
    assert head is not None
    assert head.size == entry.index + 1
    assert world.store.documents[entry.index].hashes == (entry.leaf_hash,)


def test_append_fails_when_a_restriction_was_acknowledged_after_the_decision(
    world: World, log: AuditLog
) -> None:
    queue = RestrictionQueue(start=QueuePosition(log.state.head()[0]))
    guard = partial(queue.guard, ANNA, queue.position)
    queue.accept_revocation(BERTA, CONSENT)  # of another patient
    log.append(read_event(), guard=guard)
    queue.accept_revocation(ANNA, CONSENT)
    with pytest.raises(RestrictionArrived):
        log.append(read_event(), guard=guard)
    assert log.state.size == 1
    log.append(read_event(), guard=partial(queue.guard, ANNA, queue.position))  # decided again
    assert log.state.size == 2


def test_second_sequencer_is_kept_out_while_the_lease_lives_and_fences_the_first_after(
    world: World, log: AuditLog
) -> None:
    with pytest.raises(LeaseHeld):
        world.open()
    assert log.leased
    world.clock.seconds += 3_600  # the first did not renew in time: it may be dead
    assert not log.leased  # which it knows by itself
    assert log.writable
    second = world.open()
    assert second.leased
    second.append(read_event())
    with pytest.raises(AuditFenced):
        log.append(read_event())
    assert not log.writable
    assert second.writable


def test_lease_is_renewed_while_nothing_is_written(world: World) -> None:
    log = AuditLog(
        store=world.store,
        keys=world.keys,
        anchor=world.anchor,
        origin="hospital.example/audit",
        clock_ms=world.clock.ms,
        lease_ttl_ms=300,
    )
    world.opened.append(log)
    renewed: list[int] = []
    renew = world.store.renew

    def seen(head: Head, *, expires_ms: int) -> None:
        renewed.append(expires_ms)
        renew(head, expires_ms=expires_ms)

    world.store.renew = seen  # type: ignore[method-assign]
    log.start()
    wait_for(lambda: len(renewed) >= 2)
    assert renewed[0] == world.clock.ms() + 300


def test_defaults_of_anchoring_are_60_seconds_and_1024_entries() -> None:
    defaults = inspect.signature(Anchorer).parameters
    assert defaults["interval_seconds"].default == 60
    assert defaults["every_entries"].default == 1_024
    assert Settings.model_fields["anchor_interval_seconds"].default == 60


def test_log_is_anchored_when_its_interval_is_over(world: World, log: AuditLog) -> None:
    anchorer = world.anchorer(log)
    anchorer.start()
    log.append(read_event())
    time.sleep(1.2)  # a look at the clock passes
    assert world.anchor.records == []
    world.clock.seconds += 60
    wait_for(lambda: bool(world.anchor.records))
    assert world.anchor.records[-1].size == 1
    anchorer.close()


def test_log_is_anchored_after_1024_entries_without_waiting_for_the_interval(
    world: World, log: AuditLog
) -> None:
    anchorer = world.anchorer(log)
    anchorer.start()
    replies = submit(log, 1_023)
    replies[-1].wait(10)
    time.sleep(1.2)
    assert world.anchor.records == []
    log.append(read_event())
    wait_for(lambda: bool(world.anchor.records))
    assert world.anchor.records[-1].size == 1_024
    anchorer.close()


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        ("leaf_hash", ["data"]),
        ("node_hash", ["left", "right"]),
        ("root", ["leaf_hashes"]),
        ("inclusion_proof", ["leaf_hashes", "index"]),
        ("consistency_proof", ["leaf_hashes", "old_size"]),
        ("verify_inclusion", ["leaf_hash", "index", "size", "proof", "root"]),
        ("verify_consistency", ["old_size", "new_size", "proof", "old_root", "new_root"]),
    ],
)
def test_merkle_functions_have_the_signatures_that_others_build_on(
    function: str, parameters: list[str]
) -> None:
    assert list(inspect.signature(getattr(merkle, function)).parameters) == parameters
