from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent as FhirAuditEvent

from backend.audit import codes
from backend.audit.entry import ANONYMOUS, AuditEvent, Group, Outcome
from backend.audit.fhir import audit_event
from tests.support.memory_audit import ANNA, CLINIC, ORIGIN, read_event


def export(event: AuditEvent) -> dict[str, object]:
    resource = audit_event(event, recorded_at_ms=1_700_000_000_123, origin=ORIGIN, index=7)
    FhirAuditEvent.model_validate(resource)  # a kept library knows the resource's shape
    return resource


def test_read_exports_with_patient_purpose_consent_and_requestor() -> None:
    resource = export(read_event())
    text = repr(resource)
    assert resource["action"] == "R"
    assert resource["outcome"] == "0"
    assert resource["recorded"] == "2023-11-14T22:13:20.123+00:00"
    for value in (str(int(ANNA)), "TREAT", "0x" + "c0" * 32, "0x" + CLINIC.hex(), "final-block", "10240"):
        assert value in text


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(Outcome.PERMITTED, "0"), (Outcome.CHANGED, "0"), (Outcome.DENIED, "4"), (Outcome.UNAVAILABLE, "8")],
)
def test_outcomes_map_to_the_codes_of_the_resource(outcome: Outcome, code: str) -> None:
    assert export(read_event(outcome=outcome))["outcome"] == code


def test_smallest_event_exports() -> None:
    event = AuditEvent(
        type="session.sign_in_failed", outcome=Outcome.DENIED, occurred_at_ms=0, actor=ANONYMOUS
    )
    resource = export(event)
    assert resource["action"] == "E"
    assert "entity" not in resource


def test_values_of_every_kind_in_the_detail_export() -> None:
    detail: dict[str, str | int | bool | bytes] = {"a": True, "b": b"\x01", "c": "code", "d": 5}
    entities: Any = export(replace(read_event(), detail=detail))["entity"]
    details = entities[-1]["detail"]
    assert {"type": "a", "valueString": "true"} in details
    assert {"type": "b", "valueBase64Binary": "AQ=="} in details


def test_groups_export_with_the_digest_of_who_was_in_a_team() -> None:
    team = Group(CLINIC, 3, b"\x09" * 32)
    entities: Any = export(replace(read_event(), groups=(Group(CLINIC), team)))["entity"]
    first, second = (one for one in entities if one["type"]["code"] == "3")
    assert first["what"]["identifier"] == {"system": "urn:assent:member", "value": "0x" + CLINIC.hex()}
    assert "detail" not in first
    assert second["detail"][1] == {"type": "version", "valueString": "3"}
    assert second["detail"][0]["type"] == "membership"


def test_every_type_code_is_coded() -> None:
    made = [value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)]
    assert len(made) == len(set(made)) > 30
    assert set(codes.FHIR_ACTION) <= set(made)
    for code in made:
        export(replace(read_event(), type=code))
