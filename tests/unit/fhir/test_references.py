"""What is released points at nothing that is withheld, and stays valid FHIR."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from backend.records.fhir import validate_bundle
from backend.records.references import WITHHELD, _mandatory, release, remove_references, resource_ids
from backend.records.segments import segment
from scripts.generate_bundles import encode, generate
from tests.unit.fhir.bundles import (
    LOINC,
    ME,
    PATIENT,
    bundle,
    concept,
    condition,
    entry,
    observation,
    raw,
    ref,
    url,
)


def payload_of(resource: dict[str, Any], *others: dict[str, Any]) -> bytes:
    """Payload of the segment that holds ``resource`` alone."""
    for part in segment(validate_bundle(raw(bundle(resource, *others)))):
        if resource["fullUrl"].encode() in resource_ids_text(part.payload):
            return part.payload
    raise AssertionError


def resource_ids_text(payload: bytes) -> bytes:
    return " ".join(sorted(resource_ids(payload))).encode()


def cleaned(resource: dict[str, Any], *released: str) -> dict[str, Any]:
    payload = payload_of(resource)
    out = remove_references(payload, {*resource_ids(payload), *released})
    result: dict[str, Any] = json.loads(out)["entry"][0]["resource"]
    get_fhir_model_class(result["resourceType"]).model_validate(result)
    return result


def test_payload_with_everything_released_comes_back_byte_for_byte() -> None:
    payloads = [part.payload for part in segment(validate_bundle(encode(generate(1, 3)[0])))]
    assert list(release(payloads)) == payloads


@pytest.mark.parametrize("number", range(3))
def test_no_reference_leads_out_of_a_release_and_the_rest_is_unchanged(number: int) -> None:
    parts = segment(validate_bundle(encode(generate(3, 4)[number])))
    chosen = [
        part.payload for part in parts if part.kind in {"laboratory", "medications", "procedures", "notes"}
    ]
    out = release(chosen)
    assert out == release(chosen)
    allowed = frozenset().union(*map(resource_ids, chosen))
    for before, after in zip(chosen, out, strict=True):
        assert set(re.findall(r'"reference": ?"([^"]*)"', after.decode())) <= allowed
        assert remove_references(after, allowed) == after
        assert resource_ids(before) == resource_ids(after)
        for resource in (made["resource"] for made in json.loads(after)["entry"]):
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def test_optional_reference_disappears_and_mandatory_one_is_masked() -> None:
    assert "subject" not in cleaned(observation(encounter=ref("Encounter")))
    assert "encounter" not in cleaned(observation(encounter=ref("Encounter")))
    assert cleaned(condition())["subject"] == WITHHELD


def test_reference_to_a_released_resource_stays_in_any_version() -> None:
    pointed = observation(encounter={"reference": url("Encounter") + "/_history/2", "display": "visit"})
    assert cleaned(pointed, url("Encounter"), PATIENT) == pointed["resource"]


def test_element_that_cannot_stand_without_its_reference_goes_too() -> None:
    visit = entry(
        "Encounter", status="finished", subject=ME,
        diagnosis=[{"condition": ref("Condition"), "rank": 1}, {"condition": ref("Condition", 1), "rank": 2}],
        **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
    )  # fmt: skip
    assert "diagnosis" not in cleaned(visit)
    assert [item["rank"] for item in cleaned(visit, url("Condition", 1))["diagnosis"]] == [2]


def test_display_and_identifier_of_a_removed_reference_go_with_it() -> None:
    secret = {"reference": url("Condition"), "display": "secret word", "identifier": {"value": "secret id"}}
    assert "secret" not in json.dumps(cleaned(observation(focus=[secret], extension=[
        {"url": "urn:x", "valueReference": secret}])))  # fmt: skip


def test_narratives_of_a_changed_resource_go_and_of_an_unchanged_one_stay() -> None:
    text = {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>seen for a secret</div>"}
    held = observation(
        text=text, contained=[{"resourceType": "Basic", "id": "b", "code": concept("x"), "text": text}]
    )
    changed = cleaned(held)
    assert "text" not in changed
    assert "text" not in changed["contained"][0]
    assert cleaned(held, PATIENT)["text"] == text


def test_local_reference_stays() -> None:
    inner = {"resourceType": "Device", "id": "d"}
    assert cleaned(observation(contained=[inner], device={"reference": "#d"}))["device"] == {
        "reference": "#d"
    }


def test_reference_written_with_escapes_is_found() -> None:
    payload = payload_of(observation()).replace(b'"reference"', b'"refer\\u0065nce"')
    assert PATIENT not in remove_references(payload, resource_ids(payload)).decode()
    slashed = payload_of(observation(subject={"reference": "Patient/Patient-0"})).replace(
        b"Patient/", b"Patient\\/"
    )
    assert b"Patient-0" not in remove_references(slashed, resource_ids(slashed))


def test_digits_of_a_changed_resource_survive() -> None:
    payload = payload_of(observation(valueQuantity={"value": 123456})).replace(b"123456", b"1.50E+01")
    assert b'"value":1.50E+01' in remove_references(payload, resource_ids(payload))


def test_mandatory_references_are_those_of_the_fhir_classes() -> None:
    masked, dropped = _mandatory()
    for path in masked | dropped:
        kind, *elements = path.split(".")
        model = get_fhir_model_class(kind)
        for position, element in enumerate(elements):
            field = next(f for name, f in model.model_fields.items() if (f.alias or name) == element)
            if position + 1 == len(elements):
                extra = field.json_schema_extra or {}
                assert field.is_required() or extra.get("one_of_many_required"), path
            else:
                inner = re.findall(rf"({model.__name__}\w+?)Type\b", str(field.annotation))[0]
                model = get_fhir_model_class(inner)


def test_report_loses_only_the_results_that_are_withheld() -> None:
    report = entry("DiagnosticReport", status="final", code=concept("58410-2", LOINC), subject=ME,
                   result=[ref("Observation"), ref("Observation", 1)])  # fmt: skip
    assert cleaned(report, url("Observation"))["result"] == [ref("Observation")]
