"""An entry of the log as FHIR R4 AuditEvent, after the IHE profile BALP (Basic Audit Log Patterns, 1.1.4).

Pure: an entry in, a dict out, nothing looked up. Ids are ours (pseudonyms, members, consents), never names.
What the resource has no place for (blocks, the position in the queue, the leaf) is in one extension. The log
keeps no network address and does not know a person's program: where BALP requires them, FHIR's
``data-absent-reason`` says so.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent, DetailValue, Group, Outcome
from backend.audit.fhir_patterns import AUTHZ_CONSENT, BALP, Coding, Pattern, pattern_of
from backend.types import subject_text, to_hex

Json = dict[str, Any]

OURS: Final = "urn:assent:"
ENTRY_EXTENSION: Final = f"{OURS}fhir:audit-entry"
ENTRY_TYPE: Final = f"{OURS}audit-type"
LOG: Final = f"{OURS}audit-log"
ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_ENTITY_TYPE: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ENTITY_ROLE: Final = "http://terminology.hl7.org/CodeSystem/object-role"
_RESOURCE_TYPE: Final = "http://hl7.org/fhir/resource-types"
_ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_SOURCE_TYPE: Final = "http://terminology.hl7.org/CodeSystem/security-source-type"
_ORGANISATION: Final = Coding("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV")
# AuditEvent.outcome: 0 success, 4 the request was refused, 8 it could not be answered
_OUTCOME: Final = {
    Outcome.PERMITTED: "0",
    Outcome.CHANGED: "0",
    Outcome.DENIED: "4",
    Outcome.UNAVAILABLE: "8",
}
_PROGRAMS: Final = frozenset({AgentKind.CLIENT, AgentKind.DEVICE, AgentKind.SERVICE})
_ANY_OUTCOME: Final = frozenset({"AuthZconsent", "PrivacyDisclosure.Source"})
_KINDS: Final = {"requester": "member"}  # details whose ids have another name outside
_DELEGATIONS: Final = frozenset({codes.DELEGATION_GRANTED, codes.DELEGATION_REVOKED})


@dataclass(frozen=True, slots=True)
class Place:
    """Where the entry was written: the log's origin and the service's address."""

    origin: str
    url: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the log the entry is; in an export for outside, its number there and no leaf."""

    index: int
    leaf_hash: bytes  # 32 bytes, or empty
    recorded_at_ms: int


def audit_event(event: AuditEvent, position: Position, place: Place) -> Json:
    """Return the entry as an R4 AuditEvent; ``meta.profile`` names a BALP profile where it conforms."""
    pattern = pattern_of(event)
    things = _things(event, pattern)
    recorded = _instant(position.recorded_at_ms)
    profile = _profile(event, pattern, things)
    resource: Json = {
        "resourceType": "AuditEvent",
        "id": resource_id(position.index),
        "meta": {"lastUpdated": recorded, **({"profile": [profile]} if profile else {})},
        "extension": [_entry_extension(event, position, place)],
        "type": _coding(pattern.type),
        "subtype": [_coding(subtype) for subtype in _subtypes(event, pattern)],
        "action": pattern.action,
        "period": {"start": _instant(event.occurred_at_ms)},
        "recorded": recorded,
        "outcome": _OUTCOME[event.outcome],
        "agent": _agents(event, pattern, place),
        "source": {
            "observer": _identified(LOG, place.origin),
            "type": [{"system": _SOURCE_TYPE, "code": "6" if pattern.profile == "AuthZconsent" else "4"}],
        },
        "entity": _entities(event, pattern, things),
    }
    if event.reasons:
        resource["outcomeDesc"] = " ".join(event.reasons)
    if event.purpose is not None:
        resource["purposeOfEvent"] = _purpose(event.purpose)
    if not resource["entity"]:
        del resource["entity"]
    return resource


def resource_id(index: int) -> str:
    return f"entry-{index}"


def _profile(event: AuditEvent, pattern: Pattern, things: list[Json]) -> str | None:
    """Return the BALP profile that the resource conforms to; its name as such is for success only."""
    name = pattern.profile
    if name is None or (name not in _ANY_OUTCOME and _OUTCOME[event.outcome] != "0"):
        return None
    if name == "AuthZconsent":
        # Who asks what another may see does not ask for access, so these are not the agents BALP means.
        for_itself = event.organisation is not None and "requester" not in event.detail
        complete = for_itself and event.subject is not None and event.consents
        return BALP + name if complete else None
    if name == "PrivacyDisclosure.Source":
        return BALP + name if event.subject is not None and things else None
    if name != "Query" and len(things) != 1:
        return None
    return BALP + ("Patient" if event.subject is not None else "") + name


def _subtypes(event: AuditEvent, pattern: Pattern) -> list[Coding]:
    if pattern.subtype == AUTHZ_CONSENT:
        return [AUTHZ_CONSENT]  # BALP allows no other there
    decided = event.type == codes.RECORD_READ and event.final_block is not None
    found = [pattern.subtype, AUTHZ_CONSENT if decided else None, Coding(ENTRY_TYPE, event.type)]
    return [subtype for subtype in found if subtype is not None]


# --- who ---------------------------------------------------------------------------------------------------


def _agents(event: AuditEvent, pattern: Pattern, place: Place) -> list[Json]:
    program = event.actor.kind in _PROGRAMS
    user = _user(event, pattern, program=program)
    client: Json = {
        "type": {"coding": [_coding(pattern.client)]},
        "who": _who(event.actor) if program else {"extension": [_absent("unknown")]},
        "requestor": user is None,
        "network": {"extension": [_absent("masked")]},
    }
    if user is None and event.purpose is not None:
        client["purposeOfUse"] = _purpose(event.purpose)
    server: Json = {
        "type": {"coding": [_coding(pattern.server)]},
        "who": _identified(LOG, place.origin),
        "requestor": False,
    }
    if pattern.profile != "AuthZconsent":  # which allows none
        server["network"] = {"address": place.url, "type": "5"}
    agents = [client, server, *([user] if user else [])]
    if event.organisation is not None:
        agents.append(
            {
                "type": {"coding": [_coding(_ORGANISATION)]},
                "who": _identified(f"{OURS}member", to_hex(event.organisation)),
                "requestor": False,
            }
        )
    return agents


def _user(event: AuditEvent, pattern: Pattern, *, program: bool) -> Json | None:
    """Return who used the program, None where it acted by itself. A decision is for its organisation then."""
    if not program:
        who = _who(event.actor)
    elif pattern.profile == "AuthZconsent" and event.organisation is not None:
        who = _identified(f"{OURS}member", to_hex(event.organisation))
    else:
        return None
    user: Json = {"type": {"coding": [_coding(pattern.user)]}, "who": who, "requestor": True}
    if event.purpose is not None:
        user["purposeOfUse"] = _purpose(event.purpose)
    return user


def _who(actor: Agent) -> Json:
    if not actor.id:
        return {"display": actor.kind.value}
    return _identified(OURS + actor.kind.value, actor.id)


# --- what --------------------------------------------------------------------------------------------------


def _things(event: AuditEvent, pattern: Pattern) -> list[Json]:
    """Return references to what was acted on."""
    match pattern.thing:
        case "record":
            return [_identified(f"{OURS}record", record.hex()) for record in event.records]
        case "consent":
            return [_consent(event, consent) for consent in event.consents]
        case name if name in event.detail:
            return [_identified(OURS + _KINDS.get(name, name), _text(event.detail[name]))]
        case _:
            return []


def _entities(event: AuditEvent, pattern: Pattern, things: list[Json]) -> list[Json]:
    entities: list[Json] = []
    if event.subject is not None:
        who = _identified(f"{OURS}subject", subject_text(event.subject))
        patient = _entity(Coding(_ENTITY_TYPE, "1"), "1", {"type": "Patient", **who})
        entities.append(patient)
    if pattern.profile == "Query":
        query = {"type": _coding(Coding(_ENTITY_TYPE, "2")), "role": _role("24"), "query": _query(event)}
        entities.append(query)
        # BALP has one system object there, the query.
        entities += [_entity(Coding(_ENTITY_TYPE, "4"), "4", thing) for thing in things]
    else:
        entities += [_entity(Coding(_ENTITY_TYPE, "2"), "4", thing) for thing in things]
        if event.segments and len(things) == 1:
            entities[-1]["detail"] = [
                {"type": "segment", "valueString": segment.decode("ascii", "backslashreplace")}
                for segment in event.segments
            ]
    if pattern.thing != "consent":
        kind = Coding(_RESOURCE_TYPE, "Consent")
        entities += [_entity(kind, "13", _consent(event, consent)) for consent in event.consents]
    return entities


def _consent(event: AuditEvent, consent: bytes) -> Json:
    found = _identified(f"{OURS}consent", to_hex(consent))
    return found if event.type in _DELEGATIONS else {"type": "Consent", **found}


def _query(event: AuditEvent) -> str:
    """Return the search of a listing in base64, as far as the entry keeps it."""
    subject = None if event.subject is None else subject_text(event.subject)
    said = {"subject": subject, "purpose": event.purpose}
    asked = urlencode({name: value for name, value in said.items() if value is not None})
    return base64.b64encode(f"GET /v1/records?{asked}".encode()).decode()


def _entity(kind: Coding, role: str, what: Json) -> Json:
    return {"what": what, "type": _coding(kind), "role": _role(role)}


def _role(code: str) -> Json:
    return {"system": _ENTITY_ROLE, "code": code}


# --- the entry ---------------------------------------------------------------------------------------------


def _entry_extension(event: AuditEvent, position: Position, place: Place) -> Json:
    """Return what the log has and the resource no place for. Numbers have 64 bits, so they are text."""
    parts: list[tuple[str, object]] = [
        ("log", place.origin),
        ("index", position.index),
        ("leafHash", to_hex(position.leaf_hash) if position.leaf_hash else None),
        ("type", event.type),
        ("outcome", event.outcome.value),
        ("action", None if event.action is None else event.action.value),
        *(("reason", reason) for reason in event.reasons),
        ("finalBlock", event.final_block),
        ("headBlock", event.head_block),
        ("queuePosition", event.queue_position),
        ("obligations", event.obligations or None),
        *(("group", _group(group)) for group in event.groups),
    ]
    extensions: list[Json] = [
        {"url": name, "valueString": str(value)} for name, value in parts if value is not None
    ]
    extensions += [
        {
            "url": "detail",
            "extension": [
                {"url": "name", "valueString": name},
                {"url": "value", "valueString": _text(value)},
            ],
        }
        for name, value in sorted(event.detail.items())
        if value != ""  # FHIR has no empty string
    ]
    return {"url": ENTRY_EXTENSION, "extension": extensions}


def _group(group: Group) -> str:
    """Return a member's id, and of a care team the version and the digest of who was in it."""
    team = f" {group.version} {to_hex(group.membership)}" if group.membership else ""
    return to_hex(group.id) + team


def _identified(system: str, value: str) -> Json:
    return {"identifier": {"system": system, "value": value}}


def _absent(reason: str) -> Json:
    return {"url": ABSENT, "valueCode": reason}


def _purpose(code: str) -> list[Json]:
    return [{"coding": [{"system": _ACT_REASON, "code": code}]}]


def _text(value: DetailValue) -> str:
    match value:
        case bool():
            return str(value).lower()
        case bytes():
            return to_hex(value)
        case _:
            return str(value)


def _coding(coding: Coding) -> Json:
    return {"system": coding.system, "code": coding.code}


def _instant(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC).isoformat(timespec="milliseconds")
