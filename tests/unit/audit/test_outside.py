"""An event for outside tells what happened, to nobody and by nobody."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from backend.audit.entry import Agent, AgentKind, AuditEvent, Group, mark_of
from backend.audit.fhir import Position, audit_event
from backend.audit.outside import Disguise
from backend.types import MemberId, SubjectId
from tests.support.memory_audit import ANNA, BERTA, CLINIC, read_event

STAFF = "5f" * 16
TEAM = MemberId(b"\x7e" * 32)


@pytest.fixture
def event() -> AuditEvent:
    return replace(
        read_event(occurred_at_ms=1_700_000_123_456),
        actor=Agent(AgentKind.STAFF, STAFF, token=mark_of("jti"), session=mark_of("fid")),
        groups=(Group(CLINIC), Group(TEAM, 3, b"\x99" * 32)),
        detail={
            "version": 2,
            "tables": b"\x7a" * 32,
            "staff": STAFF,
            "requester": b"\x0c" * 32,
            "request": b"\x4e" * 32,
            "somebody": "anna.example",
            "number": 4711,
        },
        basis=b"what it was decided from",
    )


def _shown(disguise: Disguise, event: AuditEvent) -> str:
    resource = audit_event(disguise.of(event), Position(0, b"", 1_700_000_000_000), disguise.place)
    return json.dumps(resource)


def test_outside_event_keeps_what_happened(event: AuditEvent) -> None:
    shown = Disguise().of(event)
    for name in ("type", "outcome", "purpose", "action", "reasons", "segments", "obligations"):
        assert getattr(shown, name) == getattr(event, name)
    assert (shown.detail["version"], shown.detail["tables"]) == (2, b"\x7a" * 32)
    assert shown.occurred_at_ms == 1_699_999_200_000  # 22:00 of 22:15
    assert (len(shown.records), len(shown.consents), len(shown.groups)) == (1, 1, 2)


def test_outside_event_has_no_id_of_inside(event: AuditEvent) -> None:
    shown = _shown(Disguise(), event)
    inside = [
        STAFF, CLINIC.hex(), TEAM.hex(), f"{ANNA:024x}", event.records[0].hex(), event.consents[0].hex(),
        "99" * 32, "4e" * 32, "anna.example", "4711", mark_of("jti").hex(), "1700000123456", "leafHash",
        "finalBlock", "headBlock", "queuePosition", b"what it was decided from".hex(), "hospital.example",
    ]  # fmt: skip
    assert [name for name in inside if name in shown] == []


def test_one_export_calls_one_thing_by_one_name_and_another_by_others(event: AuditEvent) -> None:
    disguise, other = Disguise(), Disguise()
    once, again = disguise.of(event), disguise.of(replace(event, outcome=event.outcome))
    assert once == again
    assert once.detail["staff"] == once.actor.id
    assert once.organisation == once.groups[0].id
    assert disguise.of(replace(event, subject=BERTA)).subject != once.subject
    elsewhere = other.of(event)
    for name in ("actor", "organisation", "subject", "records", "consents"):
        assert getattr(once, name) != getattr(elsewhere, name)
    assert other.place != disguise.place


def test_parts_of_the_system_and_nobody_keep_their_names() -> None:
    disguise = Disguise()
    for actor in (Agent.service("identity"), Agent(AgentKind.ANONYMOUS, "")):
        assert disguise.of(replace(read_event(), actor=actor)).actor == actor
    assert disguise.of(read_event()).actor == Agent.member(disguise.of(read_event()).organisation or CLINIC)


def test_outside_event_without_a_patient_stays_without() -> None:
    assert Disguise().of(read_event(None)).subject is None
    drawn = {Disguise().of(read_event(SubjectId(1))).subject for _ in range(20)}
    assert len(drawn) == 20
