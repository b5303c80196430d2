"""Audit entries of every type as AuditEvents, and AuditEvents that break R4, BALP or our extension."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import ANONYMOUS, Action, Agent, AgentKind, AuditEvent, DetailValue, Outcome
from backend.audit.fhir import Place, Position, audit_event
from backend.audit.fhir_patterns import PATTERNS
from backend.interop.fhir_audit.answers import operation_outcome, searchset
from backend.interop.fhir_audit.capability import capability_statement
from backend.types import Address, BlockNumber, ConsentId, MemberId, QueuePosition, RecordId, SubjectId

Json = dict[str, Any]
PLACE: Final = Place("hospital.example/audit", "https://hospital.example")
POSITION: Final = Position(7, b"\x11" * 32, 1_700_000_000_123)
CLINIC: Final = MemberId(b"\x0c" * 32)
CLIENT: Final = Agent(AgentKind.CLIENT, "c1")
WALLET: Final = Agent.account(Address("0x00000000000000000000000000000000000000Aa"))
_DETAILS: Final[Mapping[str, Mapping[str, DetailValue]]] = {
    codes.CONSENT_REQUESTED: {"request": b"\x21" * 32},
    codes.REQUESTER_BLOCKED: {"requester": CLINIC},
    codes.REQUESTER_UNBLOCKED: {"requester": CLINIC},
    codes.NOTICE_PUBLISHED: {"notice": b"\x22" * 32, "language": "en"},
    codes.STUDY_PROPOSED: {"study": b"\x23" * 32},
    codes.STUDY_APPROVED: {"study": b"\x23" * 32},
    codes.ACCOUNT_CHANGED: {"staff": "s1", "change": "roles", "roles": ""},
    codes.ACCESS_TURNED_AWAY: {"route": "GET:/v1/records", "attempts": 2},
}


def full(kind: str, actor: Agent = CLIENT) -> AuditEvent:
    """Return an event of this type with every member set."""
    return AuditEvent(
        type=kind,
        outcome=Outcome.PERMITTED,
        occurred_at_ms=1_700_000_000_000,
        actor=actor,
        organisation=CLINIC,
        subject=SubjectId(0xA11A),
        purpose="TREAT",
        action=Action.ACCESS,
        records=(RecordId(bytes(range(16))),),
        segments=(b"s0001", b"s0002"),
        consents=(ConsentId(b"\xc0" * 32),),
        reasons=("permit_matched",),
        final_block=BlockNumber(2**40),
        head_block=BlockNumber(2**40 + 3),
        queue_position=QueuePosition(7),
        obligations=1,
        detail={"truth": True, "bytes": b"\x01", "code": "a+b", "count": -5, **_DETAILS.get(kind, {})},
    )


def smallest(kind: str) -> AuditEvent:
    """Return an event of this type with nothing that may be left out."""
    return AuditEvent(type=kind, outcome=Outcome.DENIED, occurred_at_ms=0, actor=ANONYMOUS)


def events() -> Iterator[tuple[str, AuditEvent]]:
    """Yield events of every type and form, by a name."""
    for kind in sorted(PATTERNS):
        yield f"{kind}-full", full(kind)
        yield f"{kind}-by-wallet", replace(full(kind, WALLET), organisation=None)
        yield f"{kind}-system", replace(full(kind), subject=None, consents=(), reasons=())
        yield f"{kind}-smallest", smallest(kind)
    for outcome in Outcome:
        yield f"read-{outcome}", replace(full(codes.RECORD_READ), outcome=outcome)
        yield f"decision-{outcome}", replace(full(codes.DECISION), outcome=outcome)
    yield "stored-again", replace(full(codes.RECORD_STORED), detail={"version": 2})
    yield "listed-many", replace(full(codes.RECORD_LISTED), records=(RecordId(bytes(16)),) * 3)
    yield "decision-many-consents", replace(full(codes.DECISION), consents=(ConsentId(b"\xc0" * 32),) * 3)
    yield "of-a-later-release", full("thing.unheard_of")


def documented() -> AuditEvent:
    """Return the decision that docs/audit.md shows."""
    return replace(full(codes.DECISION), segments=(), records=(), obligations=0, detail={})


def shown(event: AuditEvent) -> Json:
    return audit_event(event, POSITION, PLACE)


def answers() -> Iterator[tuple[str, Json]]:
    """Yield what the search interface answers."""
    base = f"{PLACE.url}/fhir"
    found = [shown(full(codes.DECISION)), {**shown(full(codes.RECORD_READ)), "id": "entry-6"}]
    yield (
        "searchset",
        searchset(
            found,
            base=base,
            query="outcome=0",
            next_query="outcome=0&_cursor=abc",
            ignored=["favourite"],
            damaged=[5],
        ),
    )
    yield "searchset-empty", searchset([], base=base, query="outcome=8", next_query=None)
    yield "capability", capability_statement(base=base, name="Hospital", version="0.1.0")
    for status, code in ((400, "search_parameter_unknown"), (503, "unavailable"), (500, "internal")):
        outcome = operation_outcome(status, code, "No.", "Ask again.", field="favourite", request_id="0a")
        yield f"outcome-{status}", outcome


def broken() -> Iterator[tuple[str, str, Json]]:
    """Yield a name, where the error has to be, and the resource."""
    read, decision = shown(full(codes.RECORD_READ, WALLET)), shown(full(codes.DECISION))
    listed, stored = shown(full(codes.RECORD_LISTED)), shown(full(codes.RECORD_STORED, WALLET))

    def without(resource: Json, name: str, number: int, part: str = "") -> Json:
        changed = copy.deepcopy(resource)
        if part:
            del changed[name][number][part]
        else:
            del changed[name][number]
        return changed

    yield "audit-read-without-patient", "AuditEvent", without(read, "entity", 0)
    yield "audit-read-without-record", "AuditEvent", without(read, "entity", 1)
    yield "audit-read-without-network", "AuditEvent.agent[1]", without(read, "agent", 1, "network")
    yield "audit-read-that-failed", "AuditEvent.outcome", {**read, "outcome": "4"}
    yield "audit-read-with-other-action", "AuditEvent.action", {**read, "action": "E"}
    yield "audit-query-without-query", "AuditEvent.entity[1]", without(listed, "entity", 1, "query")
    yield "audit-stored-as-read", "AuditEvent", {**stored, "subtype": read["subtype"]}
    yield "audit-decision-without-consent", "AuditEvent", without(decision, "entity", 1)
    yield "audit-decision-without-organisation", "AuditEvent", without(decision, "agent", 3)
    yield (
        "audit-decision-with-record",
        "AuditEvent",
        {**decision, "entity": [*decision["entity"], read["entity"][1]]},
    )
    yield "audit-decision-with-own-subtype", "AuditEvent.subtype", {**decision, "subtype": read["subtype"]}
    other = {**decision["source"], "observer": {"display": "somebody else"}}
    yield "audit-decision-by-another", "AuditEvent.agent[1]", {**decision, "source": other}
    yield "audit-wrong-outcome", "AuditEvent.outcome", {**read, "outcome": "1"}
    extension = copy.deepcopy(read["extension"])
    extension[0]["extension"].append({"url": "more", "valueString": "1"})
    yield "audit-extension-with-another-part", "AuditEvent.extension", {**read, "extension": extension}
