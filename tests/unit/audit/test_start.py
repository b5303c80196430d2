"""Starting: the same log again, or a refusal that names what is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.audit import merkle
from backend.audit.errors import (
    AuditUnavailable,
    LogDamaged,
    LogForked,
    LogRolledBack,
)
from backend.audit.leaf import Leaf
from backend.audit.log import AuditLog
from backend.audit.types import Bundle
from backend.errors import LedgerUnavailable
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, read_event


def fill(log: AuditLog, count: int, *, subject: object = ANNA) -> None:
    for number in range(count):
        log.append(read_event(ANNA if subject is ANNA else BERTA, number=number))


def test_restart_rebuilds_the_same_log(world: World, log: AuditLog) -> None:
    fill(log, 20)
    fill(log, 5, subject=BERTA)
    before = log.state.head()
    log.close()
    again = world.open()
    assert again.state.head() == before
    assert again.append(read_event()).index == 25
    assert len(world.reader(again).chains(ANNA)[0].indexes) == 21


def test_start_drops_a_bundle_that_was_never_committed(world: World, log: AuditLog) -> None:
    fill(log, 2)
    world.store.lose, world.store.lose_after = 10**6, False
    with pytest.raises(AuditUnavailable):
        log.append(read_event(number=9))
    assert sorted(world.store.documents) == [0, 1, 2]
    world.store.lose = 0
    again = world.open(takeover=True)
    assert again.state.size == 2
    assert again.append(read_event()).index == 2


def test_start_says_where_a_log_was_cut_off(world: World, log: AuditLog) -> None:
    fill(log, 3)
    log.close()
    del world.store.documents[2]
    with pytest.raises(LogDamaged, match="ends at entry 2, its head says 3"):
        world.open()


@pytest.mark.parametrize("change", [{"sequence": 2}, {"previous": bytes(32)}])
def test_entry_that_does_not_continue_its_chain_is_refused_whatever_the_root(
    world: World, log: AuditLog, change: dict[str, Any]
) -> None:
    fill(log, 2)
    log.close()
    bundle = world.store.documents[1]
    leaf = replace(Leaf.decode(bundle.leaves[0]), **change).encode()
    hashes = (merkle.leaf_hash(leaf),)
    root = merkle.root([*world.store.documents[0].hashes, *hashes])
    world.store.documents[1] = replace(bundle, leaves=(leaf,), hashes=hashes, root=root)
    head = world.store.head()
    assert head is not None
    world.store.set_head(replace(head, root=root))
    with pytest.raises(LogDamaged, match="entry 1 does not continue its chain"):
        world.open()


def tampered(bundle: Bundle, how: str) -> Bundle:
    leaf = bytearray(bundle.leaves[0])
    match how:
        case "bit":
            leaf[20] ^= 4
        case "time":
            leaf[-5] ^= 1
        case "cut":
            leaf = leaf[:-1]
    return replace(bundle, leaves=(bytes(leaf), *bundle.leaves[1:]))


@pytest.mark.parametrize("how", ["bit", "time", "cut"])
@pytest.mark.parametrize("place", [0, 3, 9])
def test_start_refuses_a_changed_leaf(world: World, log: AuditLog, how: str, place: int) -> None:
    fill(log, 10)
    log.close()
    world.store.documents[place] = tampered(world.store.documents[place], how)
    with pytest.raises(LogDamaged):
        world.open()


@pytest.mark.parametrize("gone", [[0], [4], [9], [8, 9], list(range(10))])
def test_start_refuses_a_log_with_a_deleted_bundle(world: World, log: AuditLog, gone: list[int]) -> None:
    fill(log, 10)
    log.close()
    for first in gone:
        del world.store.documents[first]
    with pytest.raises(LogDamaged):
        world.open()


def test_start_refuses_swapped_entries(world: World, log: AuditLog) -> None:
    fill(log, 2)
    fill(log, 2, subject=BERTA)
    log.close()
    one, two = world.store.documents[1], world.store.documents[2]
    world.store.documents[1] = replace(two, first=one.first)
    world.store.documents[2] = replace(one, first=two.first)
    with pytest.raises(LogDamaged):
        world.open()


def test_start_refuses_a_head_that_was_set_back(world: World, log: AuditLog) -> None:
    fill(log, 5)
    older = log.state.tree.root(3)
    log.close()
    head = world.store.head()
    assert head is not None
    world.store.set_head(replace(head, size=3, root=older))
    with pytest.raises(LogDamaged, match="past the head"):
        world.open()
    world.store.set_head(None)
    with pytest.raises(LogDamaged, match="missing"):
        world.open()
    world.store.set_head(replace(head, root=bytes(32)))
    with pytest.raises(LogDamaged, match="root"):
        world.open()
    world.store.set_head(head)
    assert world.open().state.size == 5  # every refusal gave the lease back


def roll_back(world: World, size: int) -> None:
    """Set the whole store back to an earlier moment, consistently."""
    head = world.store.head()
    assert head is not None
    kept = [b for b in world.store.bundles() if b.first < size]
    world.store.documents = {int(b.first): b for b in kept}
    root = merkle.root([h for b in kept for h in b.hashes])
    world.store.set_head(replace(head, size=size, root=root))


def test_start_refuses_a_store_older_than_its_checkpoints(world: World, log: AuditLog) -> None:
    fill(log, 6)
    world.checkpointer(log).now()
    log.close()
    roll_back(world, 5)
    with pytest.raises(LogRolledBack, match="stored checkpoint"):
        world.open()


def test_start_refuses_a_store_older_than_the_anchored_checkpoint(world: World, log: AuditLog) -> None:
    fill(log, 6)
    world.anchorer(log).run_once()
    log.close()
    roll_back(world, 5)
    world.store.kept.clear()
    with pytest.raises(LogRolledBack, match="anchored checkpoint has 6 entries, the log 5"):
        world.open()


def test_start_refuses_another_history_than_the_anchored_one(world: World, log: AuditLog) -> None:
    fill(log, 6)
    world.anchorer(log).run_once()
    log.close()
    other = World()
    forked = other.open()
    fill(forked, 7)
    forked.close()
    other.anchor = world.anchor
    with pytest.raises(LogForked):
        other.open()


def test_start_is_refused_while_the_chain_does_not_answer(world: World) -> None:
    world.anchor.failing = LedgerUnavailable()
    with pytest.raises(LedgerUnavailable):
        world.open()
