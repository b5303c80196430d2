from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from backend.audit.bundling import BundleBuilder, prepare
from backend.audit.entry import Outcome
from backend.audit.errors import EntryDamaged, UnknownEntry
from backend.audit.log import AuditLog
from backend.audit.reader import LogReader
from backend.audit.types import StoredEntry
from backend.types import LogIndex
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, ORIGIN, read_event


def test_patient_sees_own_entries_newest_first_with_denials(world: World, log: AuditLog) -> None:
    log.append(read_event(ANNA, number=1))
    log.append(read_event(BERTA, number=2))
    log.append(read_event(ANNA, number=3, outcome=Outcome.DENIED))
    page = world.access(log).page(ANNA, before=None, limit=10)
    assert [e.index for e in page.entries] == [2, 0]
    assert [e.event for e in page.entries] == [
        read_event(number=3, outcome=Outcome.DENIED),
        read_event(number=1),
    ]
    assert (page.total, page.next_before) == (2, None)
    assert page.entries[0].recorded_at_ms == world.clock.ms()


def test_pages_follow_on_without_repeating_or_skipping(world: World, log: AuditLog) -> None:
    for number in range(25):
        log.append(read_event(ANNA if number % 3 else BERTA, number=number))
        if number in (7, 15):
            world.keys.rotate(ANNA)
    seen: list[int] = []
    before: LogIndex | None = None
    while True:
        page = world.access(log).page(ANNA, before=before, limit=4)
        assert len(page.entries) <= 4
        seen += [e.index for e in page.entries]
        before = page.next_before
        if before is None:
            break
    assert seen == [n for n in range(24, -1, -1) if n % 3]
    assert world.access(log).gaps(ANNA) == ()


def test_patient_without_entries_has_an_empty_list(world: World, log: AuditLog) -> None:
    page = world.access(log).page(ANNA, before=None, limit=5)
    assert (page.entries, page.total, page.next_before) == ((), 0, None)


def test_entry_of_someone_else_looks_like_one_that_does_not_exist(world: World, log: AuditLog) -> None:
    log.append(read_event(BERTA))
    log.append(read_event(ANNA))
    access = world.access(log)
    assert access.find(ANNA, LogIndex(1)).event == read_event(ANNA)
    for index in (0, 2, 10**9):
        with pytest.raises(UnknownEntry):
            access.find(ANNA, LogIndex(index))


def test_erased_epoch_leaves_the_list_and_the_log_stays_valid(world: World, log: AuditLog) -> None:
    log.append(read_event(ANNA, number=1))
    world.keys.rotate(ANNA)
    log.append(read_event(ANNA, number=2))
    world.keys.erased.add((ANNA, 1))
    page = world.access(log).page(ANNA, before=None, limit=5)
    assert [e.index for e in page.entries] == [1]
    assert world.access(log).gaps(ANNA) == ()
    log.close()
    assert world.open().state.size == 2


@pytest.mark.parametrize("part", ["bodies", "leaves"])
def test_damaged_entry_is_shown_as_damaged_and_never_opened(world: World, log: AuditLog, part: str) -> None:
    for number in range(3):
        log.append(read_event(number=number))
    bundle = world.store.documents[1]
    changed = bytearray(getattr(bundle, part)[0])
    changed[60] ^= 1
    changes: dict[str, Any] = {part: (bytes(changed),)}
    world.store.documents[1] = replace(bundle, **changes)
    access = world.access(log)
    assert [e.event is None for e in access.page(ANNA, before=None, limit=5).entries] == [False, True, False]
    assert access.find(ANNA, LogIndex(1)).event is None
    with pytest.raises(EntryDamaged):
        world.proofs(log).entry(ANNA, LogIndex(1))
    del world.store.documents[1]
    assert access.find(ANNA, LogIndex(1)).event is None


def test_swapped_bodies_of_two_patients_do_not_open(world: World, log: AuditLog) -> None:
    log.append(read_event(ANNA))
    log.append(read_event(BERTA))
    one, two = world.store.documents[0], world.store.documents[1]
    world.store.documents[0] = replace(one, bodies=two.bodies)
    world.store.documents[1] = replace(two, bodies=one.bodies)
    assert world.access(log).find(ANNA, LogIndex(0)).event is None
    assert world.access(log).find(BERTA, LogIndex(1)).event is None


def test_entries_left_out_at_a_key_rotation_show_as_a_gap(world: World, log: AuditLog) -> None:
    log.append(read_event(number=1))
    log.append(read_event(number=2))
    world.keys.rotate(ANNA)
    # a writer that pretends the first epoch ended one entry earlier
    honest = prepare(
        read_event(number=3).encode(), subject=ANNA, act=b"", keys=world.keys, state=log.state, origin=ORIGIN
    )
    assert honest.continues is not None
    _, before = honest.continues
    assert before.count == 2
    log.append(read_event(number=3))
    assert world.access(log).gaps(ANNA) == ()
    state = log.state
    log.append(read_event(number=4))
    pseudonym = world.reader(log).chains(ANNA)[0].pseudonym
    hidden = state._chains[pseudonym]
    hidden.indexes.pop()
    gaps = world.access(log).gaps(ANNA)
    assert [(gap.epoch, gap.expected_sequence) for gap in gaps] == [(1, 1)]


def test_entry_left_out_inside_a_chain_shows_as_a_gap(world: World, log: AuditLog) -> None:
    for number in range(4):
        log.append(read_event(number=number))
    chain = log.state._chains[world.reader(log).chains(ANNA)[0].pseudonym]
    del chain.indexes[1]
    gaps = world.access(log).gaps(ANNA)
    assert [(gap.expected_sequence, gap.index) for gap in gaps] == [(1, 2)]


def test_sound_entries_are_not_read_again_and_one_left_out_of_them_shows(
    world: World, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        log.append(read_event(number=number))
        if number == 2:
            world.keys.rotate(ANNA)
    access, read = world.access(log), list[int]()
    entries = LogReader.entries

    def counted(reader: LogReader, indexes: Sequence[int]) -> Iterator[StoredEntry]:
        read.extend(indexes)
        return entries(reader, indexes)

    monkeypatch.setattr(LogReader, "entries", counted)
    assert access.gaps(ANNA) == ()
    log.append(read_event(number=6))
    read.clear()
    assert access.gaps(ANNA) == ()
    assert read == [6]
    first, second = world.reader(log).chains(ANNA)
    del log.state._chains[second.pseudonym].indexes[1]
    assert [(gap.epoch, gap.expected_sequence, gap.index) for gap in access.gaps(ANNA)] == [(2, 1, 5)]
    log.state._chains[first.pseudonym].indexes.pop()
    assert [(gap.epoch, gap.expected_sequence) for gap in access.gaps(ANNA)] == [(1, 2), (2, 1)]


def test_builder_leaves_the_state_as_it_was(world: World, log: AuditLog) -> None:
    log.append(read_event())
    before = log.state.head()
    builder = BundleBuilder(log.state, token=1, recorded_at_ms=0, closed=set())
    builder.add(
        prepare(read_event().encode(), subject=ANNA, act=b"", keys=world.keys, state=log.state, origin=ORIGIN)
    )
    assert len(builder) == 1
    assert log.state.head() == before
