"""Small bundles for the tests, built as JSON values."""

from __future__ import annotations

import json
from typing import Any

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
PATIENT = "urn:uuid:00000000-0000-4000-8000-000000000001"
DEPRESSION = "370143000"
HYPERTENSION = "59621000"


def concept(code: str, system: str = SNOMED, **more: Any) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]} | more


def entry(kind: str, number: int = 0, **members: Any) -> dict[str, Any]:
    """One entry whose fullUrl is ``url(kind, number)``; the subject is the patient unless told otherwise."""
    return {
        "fullUrl": url(kind, number),
        "resource": {"resourceType": kind, "id": f"{kind}-{number}"} | members,
    }


def url(kind: str, number: int = 0) -> str:
    return PATIENT if kind == "Patient" else f"http://example.org/fhir/{kind}/{kind}-{number}"


def ref(kind: str, number: int = 0) -> dict[str, str]:
    return {"reference": url(kind, number)}


ME = {"reference": PATIENT}


def patient(**members: Any) -> dict[str, Any]:
    return entry(
        "Patient", identifier=[{"system": "urn:mrn", "value": "77"}], birthDate="1980-02-03", **members
    )


def condition(number: int = 0, code: str = HYPERTENSION, **members: Any) -> dict[str, Any]:
    return entry("Condition", number, **({"code": concept(code), "subject": ME} | members))


def observation(number: int = 0, code: str = "718-7", **members: Any) -> dict[str, Any]:
    basics = {
        "status": "final",
        "code": concept(code, LOINC),
        "subject": ME,
        "effectiveDateTime": "2021-05-06T07:08:09Z",
    }
    return entry("Observation", number, **(basics | members))


def bundle(*entries: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [patient(), *entries]} | members


def raw(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
