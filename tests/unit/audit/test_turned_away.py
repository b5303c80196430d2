"""Attempts that were turned away are in the log, and nobody without a token can fill it."""

from __future__ import annotations

import pytest

from backend.audit.access import AccessList
from backend.audit.entry import Agent, AgentKind, AuditEvent
from backend.audit.log import AuditLog
from backend.audit.turned_away import WINDOW_SECONDS, TurnedAway
from tests.support.audit_world import World

ROUTE = "GET:/v1/records/record"
CLIENT = Agent(AgentKind.CLIENT, "5b07")


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turned_away(log: AuditLog, clock: Clock) -> TurnedAway:
    return TurnedAway(log=log, clock=clock)


def events(world: World, log: AuditLog) -> list[AuditEvent]:
    page = AccessList(world.reader(log)).page(None, before=None, limit=100)
    return [entry.event for entry in reversed(page.entries) if entry.event is not None]


def attempts(world: World, log: AuditLog) -> list[object]:
    return [event.detail["attempts"] for event in events(world, log)]


def test_known_caller_gets_an_entry_an_attempt(world: World, log: AuditLog, turned_away: TurnedAway) -> None:
    for _ in range(3):
        turned_away.note(route=ROUTE, code="scope_missing", actor=CLIENT)
    found = events(world, log)
    assert [(event.actor, event.reasons, event.subject) for event in found] == [
        (CLIENT, ("scope_missing",), None)
    ] * 3


def test_unknown_callers_share_an_entry_a_minute_that_counts_them(
    world: World, log: AuditLog, turned_away: TurnedAway, clock: Clock
) -> None:
    for _ in range(50):
        turned_away.note(route=ROUTE, code="not_authenticated")
    assert attempts(world, log) == [1]
    clock.now += WINDOW_SECONDS
    turned_away.note(route=ROUTE, code="not_authenticated")
    assert attempts(world, log) == [1, 50]
    turned_away.note(route=ROUTE, code="not_authenticated")
    turned_away.note(route=ROUTE, code="token_expired")
    assert attempts(world, log) == [1, 50, 1]
    turned_away.close()
    assert attempts(world, log) == [1, 50, 1, 1]
    turned_away.close()
    assert sum(map(int, map(str, attempts(world, log)))) == 53
