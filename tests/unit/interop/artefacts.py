"""Consents as other systems write them, and short ways to change one."""

from __future__ import annotations

from typing import Any

from backend.interop.fhir_consent import codes
from backend.interop.fhir_consent.importing import Imported, Importer
from backend.interop.fhir_consent.names import Names
from backend.types import RecordId
from scripts.vectors import world as w

Json = dict[str, Any]
RECORD = RecordId(bytes(range(16)))
NAMES = Names(
    w.SUBJECT,
    patients=frozenset({"Patient/52"}),
    members={
        "Organization/clinic": w.CLINIC,
        "Practitioner/doctor": w.DOCTOR,
        "urn:oid:1.2.3|77": w.HOSPITAL,
    },
    records={"Observation/weight": RECORD},
)


def purposes(*names: str, system: str = codes.ACT_REASON) -> list[Json]:
    return [{"system": system, "code": name} for name in names]


def actors(*names: str) -> list[Json]:
    role = codes.concept(codes.PARTICIPATION, codes.RECIPIENT)
    return [{"role": role, "reference": {"reference": name}} for name in names]


def labels(*names: str) -> list[Json]:
    return [
        {"system": codes.CONFIDENTIALITY if len(name) == 1 else codes.ACT_CODE, "code": name}
        for name in names
    ]


def data(meaning: str, reference: str) -> list[Json]:
    return [{"meaning": meaning, "reference": {"reference": reference}}]


def provision(kind: str | None = None, **elements: Any) -> Json:
    typed = {} if kind is None else {"type": kind}
    return {**typed, **elements}


def r4(kind: str | None = "permit", *exceptions: Json, **elements: Any) -> Json:
    """Return a PCF Intermediate consent; ``elements`` of its base provision, None for one left out."""
    base = {"actor": actors("Organization/clinic"), "purpose": purposes("TREAT", "HPAYMT"), **elements}
    root = provision(kind, **{name: value for name, value in base.items() if value is not None})
    if exceptions:
        root["provision"] = list(exceptions)
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": codes.concept(codes.CONSENT_SCOPE, codes.PRIVACY_SCOPE),
        "category": [codes.concept(codes.LOINC, codes.CONSENT_LOINC)],
        "patient": {"reference": "Patient/52"},
        "dateTime": "2026-01-31T12:00:00Z",
        "performer": [{"reference": "Patient/52"}],
        "organization": [{"reference": "Organization/clinic"}],
        "sourceReference": {"reference": "DocumentReference/1"},
        "policy": [{"uri": "http://example.org/policies/base"}],
        "provision": root,
    }


def r5(decision: str | None, *provisions: Json, **elements: Any) -> Json:
    whole = {
        "resourceType": "Consent",
        "status": "active",
        "category": [codes.concept(codes.LOINC, "59284-6")],
        "subject": {"reference": "Patient/52"},
        "date": "2026-01-31",
        "decision": decision,
        "provision": list(provisions),
        **elements,
    }
    return {name: value for name, value in whole.items() if value not in (None, [])}


def claiming(level: str, resource: Json) -> Json:
    return {**resource, "meta": {"profile": [codes.PCF + level]}}


def bundle(*resources: Json) -> Json:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": each} for each in resources],
    }


def read(resource: object, profile: str = "pcf", **changes: Any) -> Imported:
    return Importer(NAMES, w.TABLES, profile, **changes).read(resource)
