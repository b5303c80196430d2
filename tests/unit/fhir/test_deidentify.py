"""De-identified copies: what is not named as staying is gone, whatever it is called and wherever it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.records.deidentify import de_identify
from backend.records.fhir import conforms

NOW = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
SECRET = "Wilhelmine-Musterfrau"
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"lastUpdated": "2026-01-02T03:04:05Z", "source": SECRET, "security": [{"code": "HIV"}]},
    "text": {"status": "generated", "div": f"<div xmlns='http://www.w3.org/1999/xhtml'>{SECRET}</div>"},
    "extension": [{"url": "http://example.org/maiden", "valueString": SECRET}],
    "identifier": [{"system": "http://example.org/mrn", "value": SECRET}],
    "name": [{"family": SECRET, "given": [SECRET]}],
    "telecom": [{"system": "phone", "value": "0123", "use": "home"}],
    "address": [{"city": SECRET, "postalCode": "1234", "line": [SECRET]}],
    "contact": [{"name": {"text": SECRET}}],
    "gender": "female",
    "birthDate": "1958-03-04",
    "_birthDate": {"extension": [{"url": "http://example.org/t", "valueString": SECRET}]},
}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {
        "coding": [{"system": "http://loinc.org", "code": "2093-3", "display": "Cholesterol"}],
        "text": f"of {SECRET}",
    },
    "subject": {"reference": "Patient/p1", "display": SECRET},
    "performer": [{"reference": "Practitioner/elsewhere", "display": SECRET}],
    "effectiveDateTime": "2024-05-06T07:08:09+02:00",
    "issued": "2024-05-06T07:08:09.123+02:00",
    "valueQuantity": {
        "value": 5.10,
        "unit": "mmol/L",
        "system": "http://unitsofmeasure.org",
        "code": "mmol/L",
    },
    "note": [{"text": SECRET}],
    "component": [
        {
            "code": {"coding": [{"system": "http://example.org/own", "code": "x", "display": SECRET}]},
            "valueString": SECRET,
        }
    ],
}


def bundle(*resources: dict[str, Any]) -> bytes:
    entries = [
        {"fullUrl": f"http://hospital.example/{each['resourceType']}/{each['id']}", "resource": each}
        for each in resources
    ]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def copied(*resources: dict[str, Any], now: int = NOW) -> list[dict[str, Any]]:
    (payload,) = de_identify([bundle(*resources)], now=now)
    return [entry["resource"] for entry in json.loads(payload)["entry"]]


def test_nothing_that_tells_who_it_is_remains() -> None:
    (payload,) = de_identify([bundle(PATIENT, OBSERVATION)], now=NOW)
    for told in (
        SECRET,
        "p1",
        "o1",
        "0123",
        "1234",
        "1958-03",
        "2024-05",
        "hospital.example",
        "HIV",
        "maiden",
    ):
        assert told.encode() not in payload


def test_what_a_clinician_needs_remains_and_is_valid() -> None:
    patient, observation = copied(PATIENT, OBSERVATION)
    assert (patient["gender"], patient["birthDate"]) == ("female", "1958")
    assert observation["code"]["coding"] == OBSERVATION["code"]["coding"]
    assert observation["valueQuantity"] == OBSERVATION["valueQuantity"]
    assert observation["effectiveDateTime"] == "2024"
    assert observation["subject"] == {"reference": f"Patient/{patient['id']}"}
    assert conforms(patient)
    assert conforms(observation)


def test_digits_of_a_number_stay_as_they_were() -> None:
    (payload,) = de_identify([bundle(PATIENT, OBSERVATION).replace(b"5.1,", b"5.10,")], now=NOW)
    assert b'"value":5.10,' in payload


def test_references_between_segments_lead_on_and_each_copy_has_new_names() -> None:
    first, second = (de_identify([bundle(PATIENT), bundle(OBSERVATION)], now=NOW) for _ in range(2))
    (patient,) = json.loads(first[0])["entry"]
    (observation,) = json.loads(first[1])["entry"]
    assert observation["resource"]["subject"]["reference"] == f"Patient/{patient['resource']['id']}"
    assert patient["resource"]["id"] not in second[0].decode()


@pytest.mark.parametrize(("born", "told"), [("1937-01-01", "1937"), ("1935-12-31", "1936"), ("1900", "1936")])
def test_birth_more_than_90_years_ago_is_told_as_90(born: str, told: str) -> None:
    (patient,) = copied({**PATIENT, "birthDate": born})
    assert patient["birthDate"] == told


def test_age_over_89_is_told_as_90() -> None:
    condition = {
        "resourceType": "Condition",
        "id": "c",
        "subject": {"reference": "Patient/p1"},
        "onsetAge": {"value": 97, "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"},
    }
    _, copy = copied(PATIENT, condition)
    assert copy["onsetAge"]["value"] == 90


def test_resource_that_is_nothing_without_its_texts_goes_whole() -> None:
    annotated = {
        "resourceType": "Provenance",
        "id": "v",
        "recorded": "2026-01-01T00:00:00Z",
        "target": [{"reference": "Patient/p1"}],
        "agent": [{"who": {"reference": "Patient/p1"}}],
    }
    assert [each["resourceType"] for each in copied(PATIENT, annotated)] == ["Patient"]


@pytest.mark.parametrize("deep", [False, True])
def test_resource_that_a_modifier_may_turn_round_goes_whole(deep: bool) -> None:
    modifier = {"modifierExtension": [{"url": "http://example.org/not", "valueBoolean": True}]}
    code = {**OBSERVATION["component"][0], **modifier}
    turned = {**OBSERVATION, **({"component": [code]} if deep else modifier)}
    assert [each["resourceType"] for each in copied(PATIENT, turned)] == ["Patient"]


NAMES = st.sampled_from(
    [*PATIENT, *OBSERVATION, "value", "code", "coding", "status", "start", "unit", "anything"]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([f"{SECRET} {SECRET}", f"a\n{SECRET}", 1, True, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_text_of_people_never_remains_wherever_it_stands(members: dict[str, Any]) -> None:
    resource = {**members, "resourceType": "Observation", "id": "o"}
    (payload,) = de_identify([bundle(resource)], now=NOW)
    assert SECRET.encode() not in payload
