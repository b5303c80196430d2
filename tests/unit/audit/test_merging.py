"""Small bundles become large ones, and nothing else changes: what readers find, and what a start checks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.audit import merging
from backend.audit.errors import AuditFenced, AuditUnavailable, LogDamaged
from backend.audit.log import AuditLog
from backend.audit.merging import MOST_AT_ONCE, BundleMerger, merged, plan
from backend.audit.search import LogSearch
from backend.audit.state import Standing
from backend.audit.types import Bundle
from backend.audit.verify import verify_bundle
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, MemoryAuditStore, read_event


def standing(*bundles: tuple[int, int]) -> list[Standing]:
    """Bundles of so many entries, each under a token."""
    found, first = [], 0
    for entries, token in bundles:
        found.append(Standing(first, entries, token))
        first += entries
    return found


def sizes(groups: list[list[Standing]]) -> list[list[int]]:
    return [[each.entries for each in group] for group in groups]


@pytest.mark.parametrize(
    ("bundles", "groups", "open_from"),
    [
        ([], [], None),
        ([(1, 1)], [], 0),
        ([(1, 1), (2, 1)], [], 0),  # more may come
        ([(1, 1), (2, 1), (1, 2)], [[1, 2]], 3),  # nothing more can come
        ([(1, 0), (2, 0)], [[1, 2]], 0),
        ([(1, -1), (1, 0), (1, 1)], [], 2),
        ([(200, 1), (56, 1)], [[200, 56]], 0),
        ([(200, 1), (50, 1), (7, 1)], [[200, 50]], 250),
        ([(200, 1), (100, 1), (200, 1)], [], 300),
        ([(256, 1), (1, 1), (1, 1)], [], 256),
        ([(1, 1)] * 300, [[1] * 256], 256),
        ([(1, 1), (256, 1), (1, 1), (1, 1)], [], 257),
    ],
)
def test_group_ends_where_the_next_does_not_fit_or_another_lease_wrote(
    bundles: list[tuple[int, int]], groups: list[list[int]], open_from: int | None
) -> None:
    found = plan(standing(*bundles), token=max((token for _, token in bundles), default=1) or 1)
    assert sizes(found.groups) == groups
    assert found.open_from == open_from


def test_what_was_merged_is_not_merged_again() -> None:
    before = [(n % 11 + 1, n // 90) for n in range(400)]
    found = plan(standing(*before), token=9)
    after, rest = [], standing(*before)
    while rest:
        group = next((g for g in found.groups if g[0] == rest[0]), rest[:1])
        after.append((sum(each.entries for each in group), group[0].token))
        rest = rest[len(group) :]
    assert len(after) < 60
    assert plan(standing(*after), token=9).groups == []


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full bundle has 16 entries here, so that few make many."""
    monkeypatch.setattr(merging, "MAX_BUNDLE_ENTRIES", 16)


@pytest.fixture
def stored(small: None, world: World, log: AuditLog) -> World:
    """Three leases: 20 entries one by one, 3, and 2."""
    fill(log, 20)
    log.close()
    second = world.open()
    fill(second, 3)
    second.close()
    fill(world.open(), 2)
    return world


def fill(log: AuditLog, count: int) -> None:
    for number in range(log.state.size, log.state.size + count):
        log.append(read_event((ANNA, BERTA)[number % 2], number=number), act=number.to_bytes(16, "big"))


def merger(world: World, alone: threading.Lock | None = None) -> BundleMerger:
    return BundleMerger(log=world.opened[-1], store=world.store, alone=alone or threading.Lock())


def ends(store: MemoryAuditStore) -> list[int]:
    return [bundle.end for bundle in store.bundles()]


def findings(world: World) -> list[tuple[str, str]]:
    report = world.fsck()
    assert report.entries == report.opened
    return [(found.code, found.where) for found in report.findings]


def test_merged_log_reads_starts_and_proves_as_before(stored: World) -> None:
    before, head = stored.everything(), stored.opened[-1].state.head()
    merger(stored).run_once()
    assert ends(stored.store) == [16, 20, 23, 24, 25]  # the newest two wait
    assert stored.everything() == before
    assert findings(stored) == []
    stored.opened[-1].close()
    log = stored.open()
    assert log.state.head() == head
    assert stored.everything() == before
    proved = stored.proofs(log).access_list(ANNA)
    assert verify_bundle(proved, [stored.signer.verifier_key])["complete"] is True
    repeated = log.append(read_event(ANNA, number=18), act=(18).to_bytes(16, "big"))
    assert (repeated.index, repeated.repeated) == (18, True)
    merger(stored).run_once()
    assert ends(stored.store) == [16, 20, 23, 25]


def test_merging_goes_on_where_it_was_and_writes_each_bundle_once(stored: World) -> None:
    ours = merger(stored)
    for _ in range(3):
        fill(stored.opened[-1], 7)
        ours.run_once()
    assert ends(stored.store)[:3] == [16, 20, 23]
    writes: list[int] = []
    real = stored.store.merge
    stored.store.merge = lambda t, b, m: (writes.append(b.first), real(t, b, m))[1]  # type: ignore[method-assign]
    ours.run_once()
    assert writes == []
    for number in range(1_000, 1_040):
        stored.opened[-1].append(read_event(ANNA, number=number))
    ours.run_once()
    assert len(writes) == len(set(writes)) > 0
    assert findings(stored) == []


@pytest.mark.usefixtures("small")
def test_entries_of_a_time_are_found_in_merged_bundles(world: World, log: AuditLog) -> None:
    for number in range(20):
        world.clock.seconds += 1
        log.append(read_event(ANNA, number=number))
    started = world.clock.seconds - 20
    before = [log.state.recorded_from((started + second) * 1_000) for second in range(-1, 23)]
    merger(world).run_once()
    log.close()
    log = world.open()
    assert ends(world.store)[0] == 16
    assert [log.state.recorded_from((started + s) * 1_000) for s in range(-1, 23)] == before
    search = LogSearch(world.reader(log), subjects=lambda: [ANNA])
    span = search.span((started + 10) * 1_000, (started + 13) * 1_000)
    assert (span.low, span.high) == (9, 12)


@pytest.mark.usefixtures("small")
def test_keys_that_are_rotated_or_erased_do_not_matter_to_a_merge(world: World, log: AuditLog) -> None:
    fill(log, 8)
    for subject in (ANNA, BERTA):
        world.keys.rotate(subject)
    fill(log, 8)
    world.keys.erased |= {(BERTA, 1), (BERTA, 2)}
    merger(world).run_once()
    assert ends(world.store) == [16]
    log.close()
    log = world.open()
    reader = world.reader(log)
    assert reader.chains(BERTA) == ()
    chains = reader.chains(ANNA)
    assert [len(chain.indexes) for chain in chains] == [4, 4]
    events = [reader.event(entry, chain) for chain in chains for entry in reader.entries(chain.indexes)]
    assert events == [read_event(ANNA, number=number) for number in range(0, 16, 2)]
    assert findings_of_damage(world) == []


class Crashed(Exception):
    """The process was killed here."""


def crashing(store: MemoryAuditStore, name: str, *, after: bool) -> None:
    real: Callable[..., None] = getattr(store, name)

    def crash(*arguments: object) -> None:
        if after:
            real(*arguments)
        raise Crashed

    setattr(store, name, crash)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", ["merge", "discard"])
def test_crash_at_any_step_leaves_a_log_that_starts_and_is_finished(
    stored: World, step: str, after: bool
) -> None:
    before, head = stored.everything(), stored.opened[-1].state.head()
    crashing(stored.store, step, after=after)
    with pytest.raises(Crashed):
        merger(stored).run_once()
    assert stored.everything() == before  # this process goes on reading
    delattr(stored.store, step)
    assert findings(stored) == []
    stored.opened[-1].close()
    log = stored.open()
    assert log.state.head() == head
    assert stored.everything() == before
    assert findings(stored) == []
    merger(stored).run_once()
    assert ends(stored.store) == [16, 20, 23, 25]
    assert stored.everything() == before
    assert findings(stored) == []


@pytest.mark.parametrize("step", ["merge", "discard"])
@pytest.mark.parametrize("landed", [False, True])
def test_answer_that_was_lost_is_made_good_in_the_next_round(stored: World, step: str, landed: bool) -> None:
    before, ours, real = stored.everything(), merger(stored), getattr(stored.store, step)

    def lose(*arguments: object) -> None:
        if landed:
            real(*arguments)
        raise AuditUnavailable

    setattr(stored.store, step, lose)
    with pytest.raises(AuditUnavailable):
        ours.run_once()
    setattr(stored.store, step, real)
    ours.run_once()
    assert ends(stored.store) == [16, 20, 23, 24, 25]
    assert stored.everything() == before
    assert findings(stored) == []


def test_reader_between_state_and_store_finds_what_was_moved(stored: World) -> None:
    before, log = stored.everything(), stored.opened[-1]
    real, ours = stored.store.entries, merger(stored)

    def late(hints: dict[int, int]) -> object:
        ours.run_once()  # after the reader asked the state, before the store answers
        return real(hints)

    stored.store.entries = late  # type: ignore[method-assign, assignment]
    entries = list(stored.reader(log).entries(range(19, 3, -1)))
    assert [(entry.leaf, entry.body) for entry in entries] == before[19:3:-1]


def test_start_beside_a_merge_misses_nothing(stored: World) -> None:
    """A fenced process may finish a write while its successor already reads."""
    log, real = stored.opened[-1], stored.store.bundles
    head, ours, passed = log.state.head(), merger(stored), 0

    def slow(*, whole: bool = True) -> object:
        firsts = [bundle.first for bundle in real()]
        nonlocal passed
        for first in firsts:
            passed += 1
            if passed == 10:
                now = stored.store.head()
                assert now is not None
                stored.store.set_head(replace(now, token=3))  # of the old process, whose write comes late
                ours.run_once()
                stored.store.set_head(now)
            if first in stored.store.documents:
                bundle = stored.store.documents[first]
                yield bundle if whole else replace(bundle, bodies=(), hashes=())

    stored.store.bundles = slow  # type: ignore[method-assign, assignment]
    again = stored.open(takeover=True)
    assert again.state.head() == head
    passed = 0
    assert findings(stored) == []


def test_process_that_lost_the_lease_merges_nothing(stored: World) -> None:
    ours, before = merger(stored), ends(stored.store)
    stored.store.acquire(holder="another", now_ms=stored.clock.ms(), ttl_ms=1, takeover=True)
    with pytest.raises(AuditFenced):
        ours.run_once()
    assert ends(stored.store) == before


def test_process_whose_lease_ran_out_waits(stored: World) -> None:
    before = ends(stored.store)
    stored.clock.seconds += 3_600
    merger(stored).run_once()
    assert ends(stored.store) == before


def test_nothing_is_merged_while_a_backup_is_written(stored: World) -> None:
    alone, before = threading.Lock(), ends(stored.store)
    ours = merger(stored, alone)
    with alone:
        ours.run_once()
        assert ends(stored.store) == before
    held: list[bool] = []
    real = stored.store.merge
    stored.store.merge = lambda t, b, m: (held.append(alone.locked()), real(t, b, m))[1]  # type: ignore[method-assign]
    ours.run_once()
    assert held == [True, True, True]
    assert not alone.locked()


def test_damaged_bundle_is_left_as_it_is_and_named(stored: World, caplog: pytest.LogCaptureFixture) -> None:
    one = stored.store.documents[10]
    leaf = bytes([*one.leaves[0][:20], one.leaves[0][20] ^ 1, *one.leaves[0][21:]])
    stored.store.documents[10] = replace(one, leaves=(leaf,))
    merger(stored).run_once()
    assert ends(stored.store)[:16] == list(range(1, 17))
    assert ends(stored.store)[16:] == [20, 23, 24, 25]
    assert "entry 10 is not that of the log" in caplog.text
    assert findings_of_damage(stored) == [("leaf_changed", "entry 10")]


def test_missing_bundle_is_not_merged_over(stored: World, caplog: pytest.LogCaptureFixture) -> None:
    del stored.store.documents[15]  # the last of its group
    merger(stored).run_once()
    assert ends(stored.store)[:15] == list(range(1, 16))
    assert "not those that were read" in caplog.text


def findings_of_damage(world: World) -> list[tuple[str, str]]:
    report = world.fsck(subjects=())
    return [(found.code, found.where) for found in report.findings]


def differing(bundle: Bundle, how: str) -> Bundle:
    match how:
        case "leaf":
            return replace(bundle, leaves=(bytes(len(bundle.leaves[0])),))
        case "act":
            return replace(bundle, acts=(b"\xac" * 16,))
        case "hash":
            return replace(bundle, hashes=(bytes(32),))
        case "token":
            return replace(bundle, token=bundle.token + 9)
        case "records":
            return replace(bundle, parts=(replace(bundle.parts[0], records="another"),))
    raise AssertionError(how)


@pytest.mark.parametrize("how", ["leaf", "act", "hash", "token", "records"])
def test_part_that_differs_from_the_merged_bundle_is_damage(stored: World, how: str) -> None:
    left = stored.store.documents[7]
    merger(stored).run_once()
    stored.store.documents[7] = left
    assert findings_of_damage(stored) == []
    stored.store.documents[7] = differing(left, how)
    assert findings_of_damage(stored) == [("bundle_repeats", "bundle 7")]
    stored.opened[-1].close()
    if how == "hash":  # a start reads none, and trusts none
        stored.open()
    else:
        with pytest.raises(LogDamaged, match="the bundle at 7 repeats entries"):
            stored.open()


def test_two_merged_bundles_that_overlap_are_damage(stored: World) -> None:
    parts = [stored.store.documents[first] for first in range(10)]
    stored.store.documents[0] = replace(merged(parts[:6]), bodies=(b"",) * 6)
    stored.store.documents[4] = replace(merged(parts[4:]), bodies=(b"",) * 6)
    assert ("bundle_repeats", "bundle 4") in findings_of_damage(stored)


def test_bundles_of_two_leases_or_with_a_gap_make_none(stored: World) -> None:
    there = stored.store.documents
    with pytest.raises(LogDamaged, match="the bundle at 2 does not continue"):
        merged([there[0], there[2]])
    with pytest.raises(LogDamaged, match="the bundle at 20 does not continue"):
        merged([there[19], there[20]])
    with pytest.raises(LogDamaged, match="too large"):
        merged([there[first] for first in range(17)])


def test_one_round_looks_at_a_bounded_number(world: World, log: AuditLog) -> None:
    asked: list[int] = []
    real = log.state.standing
    log.state.standing = lambda index, most: (asked.append(most), real(index, most))[1]  # type: ignore[method-assign]
    fill(log, 3)
    merger(world).run_once()
    assert asked == [MOST_AT_ONCE]
    assert log.state.standing(1, 1) == [Standing(1, 1, 1)]


def test_orphan_behind_merged_bundles_is_no_damage(stored: World) -> None:
    merger(stored).run_once()
    stored.store.lose, stored.store.lose_after = 10**6, False
    with pytest.raises(AuditUnavailable):
        stored.opened[-1].append(read_event(number=99))
    stored.store.lose = 0
    assert 25 in stored.store.documents
    log = stored.open(takeover=True)
    assert log.state.size == 25
    assert findings(stored) == []
