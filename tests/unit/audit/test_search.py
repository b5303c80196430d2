"""Looking through the log: whose entries, of which time, in which order, and never more than allowed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest

from backend.audit.access import AccessEntry
from backend.audit.entry import Outcome
from backend.audit.errors import EntryDamaged, UnknownEntry
from backend.audit.log import AuditLog
from backend.audit.seal import Opened, open_body
from backend.audit.search import Found, LogSearch, Span
from backend.types import SubjectId
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, read_event

CARLA = SubjectId(0xCA41A)


@pytest.fixture
def search(world: World, log: AuditLog) -> LogSearch:
    """Over a log of 30 entries: of the system every fifth, else by turns of Anna and Berta."""
    for number in range(30):
        subject = None if number % 5 == 0 else ANNA if number % 2 else BERTA
        log.append(read_event(subject, number=number))
        world.clock.seconds += 10
        if number == 15:
            world.keys.rotate(ANNA)
    return LogSearch(world.reader(log), subjects=lambda: [ANNA, BERTA])


def look(
    search: LogSearch,
    subjects: Collection[SubjectId] | None,
    *,
    span: Span | None = None,
    newest_first: bool = True,
    keep: Callable[[AccessEntry], bool] = lambda entry: True,
    limit: int = 100,
    most: int = 1000,
) -> Found:
    return search.scan(
        subjects, span or search.span(), newest_first=newest_first, keep=keep, limit=limit, most=most
    )


def indexes(found: Found) -> list[int]:
    return [entry.index for entry in found.entries]


def test_patients_entries_are_found_in_both_orders_and_nobody_elses(search: LogSearch) -> None:
    anna = [n for n in range(30) if n % 5 and n % 2]
    assert indexes(look(search, [ANNA], newest_first=False)) == anna
    assert indexes(look(search, [ANNA])) == anna[::-1]
    both = [n for n in range(30) if n % 5]
    assert indexes(look(search, [BERTA, ANNA], newest_first=False)) == both
    assert indexes(look(search, [])) == indexes(look(search, [CARLA])) == []
    assert look(search, [CARLA]).rest is None


def test_whole_log_holds_the_systems_entries_and_everybodys(search: LogSearch) -> None:
    found = look(search, None, newest_first=False)
    assert indexes(found) == list(range(30))
    assert {entry.event.subject for entry in found.entries if entry.event} == {None, ANNA, BERTA}
    assert [entry.sequence for entry in found.entries if entry.event and entry.event.subject is None] == list(
        range(6)
    )


def test_patient_enrolled_after_the_last_search_is_found_by_the_next(world: World, log: AuditLog) -> None:
    known = [ANNA]
    search = LogSearch(world.reader(log), subjects=lambda: known)
    log.append(read_event(ANNA))
    assert indexes(look(search, None)) == [0]
    known.append(BERTA)
    log.append(read_event(BERTA))
    world.keys.rotate(ANNA)
    log.append(read_event(ANNA))
    assert indexes(look(search, None)) == [2, 1, 0]


def test_entries_whose_key_was_erased_are_nobodys(world: World, search: LogSearch) -> None:
    world.keys.erased |= {(BERTA, 1)}
    assert indexes(look(search, None, newest_first=False)) == [n for n in range(30) if n % 2 or n % 5 == 0]
    with pytest.raises(UnknownEntry):
        search.find(None, 2)


def test_span_is_half_open_in_time(world: World, search: LogSearch) -> None:
    start = 1_700_000_000_000
    assert search.span(start + 50_000, start + 80_000) == Span(5, 8)
    assert search.span(start + 50_001, start + 80_001) == Span(6, 9)
    assert search.span(None, start) == Span(0, 0)
    assert search.span(start + 10**9, None) == Span(30, 30)
    assert search.span(start + 80_000, start + 50_000) == Span(8, 8)
    span = search.span(start + 50_000, start + 80_000)
    assert indexes(look(search, None, span=span)) == [7, 6, 5]
    assert indexes(look(search, [ANNA], span=span)) == [7]


@pytest.mark.parametrize("subjects", [None, [ANNA], [ANNA, BERTA]])
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(("limit", "most"), [(4, 1000), (100, 3), (2, 5)])
def test_pages_follow_on_without_repeating_or_skipping(
    search: LogSearch, subjects: list[SubjectId] | None, newest_first: bool, limit: int, most: int
) -> None:
    whole = indexes(look(search, subjects, newest_first=newest_first))
    seen: list[int] = []
    span: Span | None = search.span()
    while span is not None:
        found = look(search, subjects, span=span, newest_first=newest_first, limit=limit, most=most)
        assert len(found.entries) <= limit
        seen += indexes(found)
        span = found.rest
    assert seen == whole


def test_scan_opens_no_more_than_allowed_and_gives_the_rest(
    search: LogSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[bytes] = []

    def counted(body: bytes, **bound: Any) -> Opened:
        opened.append(body)
        return open_body(body, **bound)

    monkeypatch.setattr("backend.audit.reader.open_body", counted)
    found = look(search, [ANNA], keep=lambda entry: False, most=5)
    assert (found.entries, len(opened)) == ((), 5)
    assert found.rest is not None
    opened.clear()
    look(search, [ANNA], span=search.span(1_700_000_000_000 + 250_000), limit=1)
    assert len(opened) == 1


def test_wanted_entries_only_are_kept(world: World, log: AuditLog) -> None:
    log.append(read_event(ANNA))
    log.append(read_event(ANNA, outcome=Outcome.DENIED))
    search = LogSearch(world.reader(log), subjects=lambda: [ANNA])
    denied = look(search, [ANNA], keep=lambda e: e.event is not None and e.event.outcome is Outcome.DENIED)
    assert indexes(denied) == [1]


def test_entry_is_found_by_its_owner_and_the_auditor_only(search: LogSearch) -> None:
    assert search.find([ANNA], 7).index == search.find(None, 7).index == 7
    for subjects, index in (([BERTA], 7), ([ANNA], 8), ([ANNA], 5), ([], 7), (None, 30), (None, -1)):
        with pytest.raises(UnknownEntry):
            search.find(subjects, index)


def test_subject_is_known_when_it_has_entries(search: LogSearch) -> None:
    assert search.is_known(ANNA)
    assert not search.is_known(CARLA)


@pytest.mark.parametrize("part", ["leaves", "bodies"])
def test_damaged_entry_is_told_and_hides_no_other(world: World, log: AuditLog, part: str) -> None:
    for number in range(5):
        log.append(read_event(ANNA, number=number))
    first = max(first for first in world.store.documents if first <= 2)
    bundle = world.store.documents[first]
    values = list(getattr(bundle, part))
    values[2 - first] = values[2 - first][:-1] + bytes([values[2 - first][-1] ^ 1])
    damaged: dict[str, Any] = {part: tuple(values)}
    world.store.documents[first] = replace(bundle, **damaged)
    search = LogSearch(world.reader(log), subjects=lambda: [ANNA])
    for subjects in (None, [ANNA]):
        found = look(search, subjects)
        assert (indexes(found), found.damaged) == ([4, 3, 1, 0], (2,))
        with pytest.raises(EntryDamaged):
            search.find(subjects, 2)
    with pytest.raises(UnknownEntry):
        search.find([BERTA], 2)  # even that it is damaged is not told
