"""The breach search on a log in memory: what it counts, what it cannot tell and says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, Group, Outcome, mark_of
from backend.audit.log import AuditLog
from backend.audit.search import LogSearch
from backend.consent.errors import EvidenceGone
from backend.errors import InvalidInput
from backend.records.affected import Affected, BreachSearch, Suspect, TooManyEntries
from backend.records.manifest import Manifest
from backend.types import MemberId, RecordId, SubjectId
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, CLINIC, read_event

CARLA = SubjectId(0xCA51A)
STOLEN = Agent(AgentKind.CLIENT, "c1", token=mark_of("stolen"), session=mark_of("session"))
SAME_CLIENT = Agent(AgentKind.CLIENT, "c1", token=mark_of("later"), session=mark_of("session"))
OLD = Agent(AgentKind.CLIENT, "c1")


def gone(record: RecordId, version: int | None) -> Manifest:
    raise EvidenceGone


def search(world: World, log: AuditLog) -> BreachSearch:
    look = LogSearch(world.reader(log), subjects=lambda: [ANNA, BERTA, CARLA])
    return BreachSearch(search=look, manifest_of=gone)


def write(log: AuditLog, actor: Agent, subject: SubjectId | None = ANNA, **changes: Any) -> None:
    log.append(replace(read_event(subject), actor=actor, **changes))


def ask(world: World, log: AuditLog, **suspect: Any) -> Affected:
    return search(world, log).affected(Suspect(**suspect), None, None)


def test_token_concerns_its_own_reads_only(world: World, log: AuditLog) -> None:
    write(log, STOLEN)
    write(log, STOLEN, BERTA, outcome=Outcome.DENIED)
    write(log, SAME_CLIENT, CARLA)
    write(log, STOLEN, None, type=codes.AUDIT_READ)
    write(log, STOLEN, ANNA, outcome=Outcome.UNAVAILABLE)
    found = ask(world, log, token=mark_of("stolen"))
    assert set(found.concerned) == {ANNA}
    assert (found.concerned[ANNA].reads, found.concerned[ANNA].gone) == (1, {RecordId(bytes(16))})
    assert {one: dict(each.attempts) for one, each in found.refused.items()} == {BERTA: {"record.read": 1}}
    assert (found.looked_at, found.elsewhere, found.complete) == (5, 1, True)
    assert set(ask(world, log, session=mark_of("session")).concerned) == {ANNA, CARLA}
    assert set(ask(world, log, client="c1").concerned) == {ANNA, CARLA}
    assert ask(world, log, staff="c1").concerned == {}


def test_member_is_found_by_whom_was_acted_for(world: World, log: AuditLog) -> None:
    partner = MemberId(b"\x77" * 32)
    write(log, STOLEN, ANNA, groups=(Group(partner),))
    write(log, STOLEN, BERTA)
    assert set(ask(world, log, member=CLINIC).concerned) == {ANNA, BERTA}
    assert set(ask(world, log, member=partner).concerned) == {ANNA}


def test_what_else_was_shown_or_done_is_told_by_its_type(world: World, log: AuditLog) -> None:
    write(log, STOLEN, type=codes.RECORD_LISTED)
    write(log, STOLEN, type=codes.CONSENT_REQUESTED, outcome=Outcome.CHANGED)
    write(log, STOLEN, type=codes.AUDIT_READ)
    one = ask(world, log, token=mark_of("stolen")).concerned[ANNA]
    assert (one.reads, one.listed.total(), dict(one.other)) == (
        0,
        1,
        {"consent.requested": 1, "audit.read": 1},
    )


def test_entries_that_name_no_token_or_do_not_open_are_counted(world: World, log: AuditLog) -> None:
    write(log, OLD)
    write(log, OLD, type=codes.TOKEN_ISSUED)  # comes without one
    write(log, Agent.service("import"), type=codes.RECORD_READ)
    write(log, STOLEN, BERTA)
    write(log, STOLEN, CARLA)
    world.keys.erased.add((CARLA, 1))
    world.store.documents[3] = replace(world.store.documents[3], bodies=(b"damaged",))
    found = ask(world, log, token=mark_of("stolen"))
    assert (found.untold, found.unopened, found.complete) == (1, 2, False)
    of_client = ask(world, log, client="c1")
    assert (of_client.untold, of_client.concerned[ANNA].reads) == (0, 1)


def test_time_is_half_open_and_bounded(world: World, log: AuditLog) -> None:
    for subject in (ANNA, BERTA, CARLA):
        write(log, STOLEN, subject)
        world.clock.seconds += 10
    start = 1_700_000_000_000
    look, suspect = search(world, log), Suspect(client="c1")
    assert set(look.affected(suspect, start + 10_000, start + 20_000).concerned) == {BERTA}
    assert set(look.affected(suspect, None, start + 10_000).concerned) == {ANNA}
    one = look.affected(suspect, start, None).concerned[CARLA]
    assert (one.first_ms, one.last_ms) == (start + 20_000, start + 20_000)
    with pytest.raises(TooManyEntries):
        look.affected(suspect, None, None, most=2)


def test_more_entries_than_a_page_are_all_counted(world: World, log: AuditLog) -> None:
    for number in range(1_201):
        write(log, STOLEN if number % 2 else OLD, (ANNA, BERTA)[number % 3 == 0])
    found = ask(world, log, client="c1")
    assert sum(one.reads for one in found.concerned.values()) == 1_201


@pytest.mark.parametrize("suspect", [{}, {"client": "c1", "staff": "s1"}])
def test_suspect_is_one(suspect: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        Suspect(**suspect)  # type: ignore[arg-type]
