"""The custodian's people store for a patient whom they found by a number, and not for nobody."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from backend.demo.actors import Api, Provider
from backend.identity.roles import Role
from backend.records.segments import FHIR_MEDIA_TYPE
from tests.integration.api.world import Patient, Service, assert_problem, raw, staff


@pytest.fixture(scope="module")
def clerk(service: Service) -> Api:
    return staff(service, "records-clerk", Role.PROVIDER)


def reference(api: Api, identifier: str) -> str:
    return str(api.post("/v1/patients/search", {"identifier": identifier})["patient_ref"])


def stored(api: Api, content: bytes, media_type: str, **query: Any) -> httpx.Response:
    headers = {"Content-Type": media_type, "Idempotency-Key": "stored-by-reference"}
    return raw(api, "POST", "/v1/records", params=query, content=content, headers=headers)


def test_document_and_bundle_are_stored_for_the_patient_found(clerk: Api, patient: Patient) -> None:
    before = len(patient.api.get("/v1/records", subject=patient.subject, purpose="PATRQT")["records"])
    found = reference(clerk, patient.record_number)
    answers = [stored(clerk, b"%PDF-1.7", "application/pdf", patient_ref=found) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()  # a retry stores nothing twice
    kept = patient.api.get("/v1/records", subject=patient.subject, purpose="PATRQT")["records"]
    assert len(kept) == before + 1
    assert answers[0].json()["record_id"] in [record["record_id"] for record in kept]
    other = stored(clerk, patient.bundle, FHIR_MEDIA_TYPE, patient_ref=found)
    assert_problem(other, 409, "version_taken")  # another body under the same key


def test_number_of_nobody_is_told_to_the_custodian_alone(
    clerk: Api, clinic: Provider, patient: Patient
) -> None:
    refused = stored(clerk, b"x", "text/plain", patient_ref=reference(clerk, "nobody has this"))
    problem = assert_problem(refused, 404, "patient_not_enrolled")
    assert problem["field"] == "patient_ref"
    for number in ("nobody has this", patient.record_number):
        theirs = stored(clinic.api, b"x", "text/plain", patient_ref=reference(clinic.api, number))
        assert_problem(theirs, 403, "not_permitted")


def test_reference_of_another_member_and_no_patient_at_all_are_refused(
    clerk: Api, clinic: Provider, patient: Patient
) -> None:
    theirs = reference(clinic.api, patient.record_number)
    assert_problem(stored(clerk, b"x", "text/plain", patient_ref=theirs), 422, "patient_ref_invalid")
    assert_problem(stored(clerk, b"x", "text/plain"), 422, "invalid_input")
