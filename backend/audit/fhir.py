"""Export of events as FHIR R4 AuditEvent, after the IHE profile BALP (Basic Audit Log Patterns).

Pure: a dict in, nothing looked up. Ids are ours (pseudonyms, members, consents), never names; what has no
place in the resource goes into an entity's ``detail``.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from backend.audit import codes
from backend.audit.entry import AgentKind, AuditEvent, Outcome
from backend.types import to_hex

Json = dict[str, Any]

_EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ENTITY_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_RESTFUL = "http://hl7.org/fhir/restful-interaction"
_INTERACTION = {"C": "create", "R": "read", "U": "update", "D": "delete", "E": "operation"}
# AuditEvent.outcome: 0 success, 4 the request was refused, 8 it could not be answered
_OUTCOME = {Outcome.PERMITTED: "0", Outcome.CHANGED: "0", Outcome.DENIED: "4", Outcome.UNAVAILABLE: "8"}
_SYSTEM = "urn:assent:"


def audit_event(event: AuditEvent, *, recorded_at_ms: int, origin: str, index: int) -> Json:
    """Return the event as an R4 AuditEvent; ``index`` is its place in the log named ``origin``."""
    action = codes.FHIR_ACTION.get(event.type, "E")
    resource: Json = {
        "resourceType": "AuditEvent",
        "id": f"entry-{index}",
        "type": _coding(_EVENT_TYPE, "rest", "RESTful Operation"),
        "subtype": [_coding(_RESTFUL, _INTERACTION[action]), _coding(f"{_SYSTEM}audit-type", event.type)],
        "action": action,
        "period": {"start": _instant(event.occurred_at_ms), "end": _instant(recorded_at_ms)},
        "recorded": _instant(recorded_at_ms),
        "outcome": _OUTCOME[event.outcome],
        "agent": _agents(event),
        "source": {
            "observer": {"identifier": {"system": f"{_SYSTEM}audit-log", "value": origin}},
            "type": [
                _coding(
                    "http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server"
                )
            ],
        },
        "entity": _entities(event),
    }
    if event.reasons:
        resource["outcomeDesc"] = " ".join(event.reasons)
    if event.purpose is not None:
        resource["purposeOfEvent"] = [{"coding": [_coding(_ACT_REASON, event.purpose)]}]
    if not resource["entity"]:
        del resource["entity"]
    return resource


def _agents(event: AuditEvent) -> list[Json]:
    requestor = _agent(_PARTICIPATION, "IRCP", event.actor.kind.value, event.actor.id, requestor=True)
    if event.actor.kind is AgentKind.ANONYMOUS:
        requestor["who"] = {"display": "anonymous"}
    if event.purpose is not None:
        requestor["purposeOfUse"] = [{"coding": [_coding(_ACT_REASON, event.purpose)]}]
    agents = [requestor]
    if event.organisation is not None:
        agents.append(_agent(_PARTICIPATION, "PROV", "member", to_hex(event.organisation), requestor=False))
    return agents


def _agent(system: str, code: str, kind: str, identifier: str, *, requestor: bool) -> Json:
    return {
        "type": {"coding": [_coding(system, code)]},
        "who": {"identifier": {"system": _SYSTEM + kind, "value": identifier}},
        "requestor": requestor,
    }


def _entities(event: AuditEvent) -> list[Json]:
    entities: list[Json] = []
    if event.subject is not None:
        entities.append(_entity(("1", "Person"), ("1", "Patient"), "subject", str(event.subject)))
    for group in event.groups:
        entity = _entity(("3", "Organization"), ("12", "Security User Group"), "member", to_hex(group.id))
        if group.membership:
            digest, version = _detail("membership", group.membership), _detail("version", group.version)
            entity = {**entity, "detail": [digest, version]}
        entities.append(entity)
    for role, system, ids in (
        (("4", "Domain Resource"), "record", event.records),
        (("4", "Domain Resource"), "segment", event.segments),
        (("13", "Security Resource"), "consent", event.consents),
    ):
        entities += [_entity(("2", "System Object"), role, system, to_hex(i)) for i in ids]
    details = [
        {"type": name, "valueString": str(value)}
        for name, value in (
            ("final-block", event.final_block),
            ("head-block", event.head_block),
            ("queue-position", event.queue_position),
            ("obligations", event.obligations or None),
            ("consent-action", event.action),
        )
        if value is not None
    ]
    details += [_detail(name, value) for name, value in sorted(event.detail.items())]
    if details:
        decision = _entity(("4", "Other"), ("24", "Query"), "decision", event.type)
        entities.append({**decision, "detail": details})
    return entities


def _entity(kind: tuple[str, str], role: tuple[str, str], system: str, value: str) -> Json:
    return {
        "what": {"identifier": {"system": _SYSTEM + system, "value": value}},
        "type": _coding(_ENTITY_TYPE, *kind),
        "role": _coding(_ENTITY_ROLE, *role),
    }


def _detail(name: str, value: object) -> Json:
    if isinstance(value, bytes):
        return {"type": name, "valueBase64Binary": base64.b64encode(value).decode()}
    return {"type": name, "valueString": str(value).lower() if isinstance(value, bool) else str(value)}


def _coding(system: str, code: str, display: str | None = None) -> Json:
    coding = {"system": system, "code": code}
    return coding if display is None else {**coding, "display": display}


def _instant(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC).isoformat(timespec="milliseconds")
