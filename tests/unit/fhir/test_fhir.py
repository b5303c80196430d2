"""What is accepted as a bundle of one patient."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.errors import InvalidInput
from backend.records.fhir import validate_bundle
from backend.records.fhir_errors import (
    BundleOfAnotherPatient,
    BundleWithoutPatient,
    DuplicateResource,
    EntryWithoutResource,
    FhirInvalid,
    NotABundle,
    UnknownResourceType,
)
from backend.records.fhir_subject import require_patient_identifier
from tests.unit.fhir.bundles import (
    LOINC,
    ME,
    PATIENT,
    bundle,
    concept,
    condition,
    entry,
    observation,
    patient,
    raw,
    ref,
)


def refused(value: dict[str, Any], error: type[InvalidInput]) -> InvalidInput:
    with pytest.raises(error) as caught:
        validate_bundle(raw(value))
    return caught.value


def test_bundle_of_one_patient_is_accepted_with_its_resources_in_order() -> None:
    accepted = validate_bundle(raw(bundle(condition(), observation())))
    assert [resource.type for resource in accepted.resources] == ["Patient", "Condition", "Observation"]
    assert accepted.patient.names == (PATIENT, "Patient/Patient-0")
    assert accepted.patient_identifiers == {("urn:mrn", "77")}


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"status": 5}, "entry[1].resource.status"),
        ({"effectiveDateTime": "2020-13-45"}, "entry[1].resource.effectiveDateTime"),
        ({"code": None}, "entry[1].resource.code"),
        ({"component": [{"code": concept("8480-6"), "valueQuantity": {"value": "x"}}]},
         "entry[1].resource.component[0].valueQuantity.value"),
        ({"Jane Q Public": 1}, "entry[1].resource"),
        ({"JaneQPublic": 1}, "entry[1].resource"),
        ({"valueString": "a", "valueBoolean": True}, "entry[1].resource"),
        ({"id": "../../etc/passwd"}, "entry[1].resource.id"),
        ({"contained": 7}, "entry[1].resource.contained"),
    ],
)  # fmt: skip
def test_resource_that_is_not_fhir_is_refused_with_its_path(broken: dict[str, Any], field: str) -> None:
    error = refused(bundle(observation(**broken)), FhirInvalid)
    assert error.field == field
    assert "Jane" not in str(error)


def test_missing_mandatory_element_is_refused() -> None:
    without_code = observation()
    del without_code["resource"]["code"]
    assert refused(bundle(without_code), FhirInvalid).field == "entry[1].resource.code"


@pytest.mark.parametrize("kind", ["Foo", "HumanName", "DomainResource", "EffectEvidenceSynthesis", "", "os"])
def test_resource_of_unknown_type_is_refused(kind: str) -> None:
    assert refused(bundle({"resource": {"resourceType": kind}}), UnknownResourceType).field == (
        "entry[1].resource.resourceType"
    )


def test_contained_resource_of_unknown_type_is_refused() -> None:
    refused(bundle(observation(contained=[{"resourceType": "Foo"}])), InvalidInput)


@pytest.mark.parametrize(
    "value", [{"resourceType": "Patient"}, {"resourceType": "Bundle", "type": "history"}, {}]
)
def test_anything_but_a_storable_bundle_is_refused(value: dict[str, Any]) -> None:
    refused(value, NotABundle)


def test_entry_without_resource_is_refused() -> None:
    refused(bundle({"request": {"method": "DELETE", "url": "Patient/1"}}), EntryWithoutResource)


def test_same_identity_twice_is_refused() -> None:
    refused(bundle(condition(), condition()), DuplicateResource)
    other_url = condition() | {"fullUrl": "urn:uuid:00000000-0000-4000-8000-0000000000ff"}
    refused(bundle(condition(), other_url), DuplicateResource)


def test_bundle_without_patient_is_refused() -> None:
    refused(bundle() | {"entry": []}, BundleWithoutPatient)


SECOND = {"resource": {"resourceType": "Patient", "id": "other"}}


@pytest.mark.parametrize(
    ("foreign", "field"),
    [
        (SECOND, "entry[1].resource"),
        (observation(subject={"reference": "Patient/other"}), "entry[1].resource.subject"),
        (observation(subject={"reference": PATIENT[:-1] + "f"}), "entry[1].resource.subject"),
        (observation(subject={"reference": "https://b.test/Patient/Patient-0"}), "entry[1].resource.subject"),
        (observation(subject={"reference": "Patient?identifier=urn:mrn|77"}), "entry[1].resource.subject"),
        (observation(subject={"display": "the patient"}), "entry[1].resource.subject"),
        (observation(subject={"identifier": {"system": "urn:mrn", "value": "78"}}),
         "entry[1].resource.subject"),
        (observation(subject={"reference": "#p"}, contained=[{"resourceType": "Patient", "id": "p"}]),
         "entry[1].resource.contained"),
        (observation(performer=[{"reference": "Patient/other"}]), "entry[1].resource.performer"),
        (entry("AllergyIntolerance", patient={"reference": "Patient/other"}), "entry[1].resource.patient"),
        (entry("Parameters", parameter=[{"name": "x", "resource": {"resourceType": "Patient"}}]),
         "entry[1].resource.contained"),
    ],
)  # fmt: skip
def test_resource_of_another_patient_is_refused(foreign: dict[str, Any], field: str) -> None:
    assert refused(bundle(foreign), BundleOfAnotherPatient).field == field


def test_subject_group_is_refused_and_subject_device_is_not() -> None:
    group = entry("Group", type="person", actual=True)
    refused(bundle(group, observation(subject=ref("Group"))), BundleOfAnotherPatient)
    validate_bundle(raw(bundle(entry("Device"), observation(subject=ref("Device")))))


@pytest.mark.parametrize(
    "subject",
    [ME, {"reference": "Patient/Patient-0"}, {"reference": "Patient/Patient-0/_history/3"},
     {"identifier": {"system": "urn:mrn", "value": "77"}}],
)  # fmt: skip
def test_every_way_to_name_the_patient_is_understood(subject: dict[str, Any]) -> None:
    validate_bundle(raw(bundle(observation(subject=subject))))


def test_identifiers_with_path_tricks_are_only_text() -> None:
    tricky = patient(name=[{"family": "../../../etc/passwd\u0000"}])
    tricky["resource"]["identifier"] = [{"system": "file:///etc", "value": "..%2f..\\..\\x; DROP TABLE"}]
    accepted = validate_bundle(raw({"resourceType": "Bundle", "type": "batch", "entry": [tricky]}))
    assert accepted.patient_identifiers == {("file:///etc", "..%2f..\\..\\x; DROP TABLE")}


def test_patient_without_known_identifier_is_somebody_else() -> None:
    accepted = validate_bundle(raw(bundle()))
    require_patient_identifier(accepted, {("urn:mrn", "77"), ("urn:mrn", "1")})
    with pytest.raises(BundleOfAnotherPatient):
        require_patient_identifier(accepted, {("urn:mrn", "78")})


def test_error_says_nothing_of_the_document() -> None:
    secret = "Zebediah-4711"
    body = json.dumps(
        bundle(observation(code=concept("718-7", LOINC, text=secret), status=[secret]))
    ).encode()
    with pytest.raises(FhirInvalid) as caught:
        validate_bundle(body)
    assert secret not in f"{caught.value} {caught.value.detail} {caught.value.field}"
    assert caught.value.__cause__ is None
