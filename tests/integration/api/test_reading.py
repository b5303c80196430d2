"""Reading: what is not permitted looks like what does not exist, is refused, and is in the patient's list."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from backend.demo.actors import Provider, Wallet
from tests.integration.api.world import Patient, Service, assert_problem, raw, store

VOLATILE = {"date", "x-request-id"}


def _read(reader: Provider, record: str, **query: Any) -> httpx.Response:
    return raw(reader.api, "GET", f"/v1/records/{record}", params={"purpose": "TREAT", **query})


def _bare(response: httpx.Response) -> Any:
    """The answer without what differs between any two answers."""
    headers = sorted(item for item in response.headers.items() if item[0] not in VOLATILE)
    return response.status_code, {**response.json(), "request_id": ""}, headers


def test_record_that_may_not_be_read_looks_like_none(clinic: Provider, patient: Patient) -> None:
    present, absent = _read(clinic, patient.record_id), _read(clinic, "0" * 32)
    assert_problem(present, 403, "consent_required")
    assert _bare(present) == _bare(absent)


@pytest.mark.parametrize("segment", ["s0000", "s9999", "nonsense"])
def test_segment_that_may_not_be_read_looks_like_none(
    clinic: Provider, patient: Patient, segment: str
) -> None:
    answers = [
        raw(clinic.api, "GET", f"/v1/records/{record}/segments/{segment}", params={"purpose": "TREAT"})
        for record in (patient.record_id, "0" * 32)
    ]
    assert_problem(answers[0], 403, "consent_required")
    assert _bare(answers[0]) == _bare(answers[1])


def test_segment_outside_the_permit_looks_like_one_that_is_not_there(
    clinic: Provider, patient: Patient
) -> None:
    consent = patient.permit(clinic.member_id, categories=["laboratory"])
    permitted = clinic.read(patient.record_id)
    everything = patient.api.get(f"/v1/records/{patient.record_id}", purpose="PATRQT")["segments"]
    closed = next(part["name"] for part in everything if part["name"] not in permitted)
    answers = [
        raw(
            clinic.api,
            "GET",
            f"/v1/records/{patient.record_id}/segments/{name}",
            params={"purpose": "TREAT"},
        )
        for name in (closed, "s9999")
    ]
    assert_problem(answers[0], 403, "consent_required")
    assert _bare(answers[0]) == _bare(answers[1])
    patient.wallet.revoke(consent)


def test_search_for_nobody_looks_like_search_for_somebody(clinic: Provider, patient: Patient) -> None:
    answers = [
        raw(clinic.api, "POST", "/v1/patients/search", json={"identifier": identifier})
        for identifier in (patient.record_number, "nobody at all")
    ]
    shapes = [(answer.status_code, len(answer.content), sorted(answer.headers)) for answer in answers]
    assert shapes[0] == shapes[1]


def test_listing_of_nobody_looks_like_listing_of_somebody(clinic: Provider, patient: Patient) -> None:
    answers = [
        raw(
            clinic.api,
            "GET",
            "/v1/records",
            params={"purpose": "TREAT", "patient_ref": clinic.find(identifier)},
        )
        for identifier in (patient.record_number, "nobody at all")
    ]
    assert answers[0].status_code == 200
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["records"] == []


def test_patient_reference_of_another_member_is_refused(
    clinic: Provider, other_clinic: Provider, patient: Patient
) -> None:
    query = {"purpose": "TREAT", "patient_ref": clinic.find(patient.record_number)}
    assert_problem(raw(other_clinic.api, "GET", "/v1/records", params=query), 422, "patient_ref_invalid")


def test_read_without_consent_is_in_the_patients_list(clinic: Provider, patient: Patient) -> None:
    before = len(patient.accesses())
    assert_problem(_read(clinic, patient.record_id), 403, "consent_required")
    entries = patient.accesses()
    assert len(entries) == before + 1
    entry = entries[0]
    assert (entry["type"], entry["outcome"]) == ("record.read", "denied")
    assert entry["organisation"] == clinic.member_id
    assert (entry["purpose"], entry["records"], entry["segments"]) == ("TREAT", [patient.record_id], [])


@pytest.mark.parametrize("who", ["clinic", "hospital", "stranger"])
def test_anybody_without_consent_is_refused_and_logged(
    request: pytest.FixtureRequest, patient: Patient, who: str
) -> None:
    caller = request.getfixturevalue(who)
    if isinstance(caller, Wallet):
        response = raw(caller.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "PATRQT"})
        assert_problem(response, 403, "scope_missing")  # turned away before any record was looked for
        return
    before = len(patient.accesses())
    assert_problem(_read(caller, patient.record_id), 403, "consent_required")
    assert patient.accesses()[0]["outcome"] == "denied"
    assert len(patient.accesses()) == before + 1


def test_question_about_a_decision_is_in_the_patients_list_and_tells_no_reason(
    clinic: Provider, patient: Patient
) -> None:
    body = {"subject": patient.subject, "purpose": "TREAT", "categories": ["notes"]}
    answer = clinic.api.post("/v1/decisions", body)
    assert (answer["answer"], answer["reasons"], answer["findings"]) == ("deny", ["consent_required"], [])
    assert (answer["consents"], answer["explanation"], answer["sentence"]) == ([], [], None)
    entry = patient.accesses()[0]
    assert (entry["outcome"], entry["organisation"]) == ("denied", clinic.member_id)


@pytest.mark.parametrize(
    "record",
    [
        "..", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cwindows", "%00", "0" * 31 + "%00",
        "0" * 31, "0" * 33, "A" * 32, "x" * 32, "%D9%A0" * 32, "%EF%BC%90" * 32, "0" * 30 + "%0A0",
        " " + "0" * 31, "0x" + "0" * 30, "f" * 4000, "$ne", "{}", "%7B%22$gt%22:1%7D",
    ],
)  # fmt: skip
def test_record_id_that_is_none_is_refused_before_any_store_is_asked(
    service: Service, clinic: Provider, patient: Patient, record: str
) -> None:
    size = service.world.services.audit.state.head()[0]
    for suffix in ("", "/segments/s0000"):
        response = raw(clinic.api, "GET", f"/v1/records/{record}{suffix}", params={"purpose": "TREAT"})
        assert response.status_code in (404, 422), response.text
        assert_problem(response, response.status_code, response.json()["code"])
    assert service.world.services.audit.state.head()[0] == size


@pytest.mark.parametrize(
    "segment",
    ["%2e%2e%2fs0000", "%00", "s0000%00", "S0000", "s%EF%BC%90000", "s" * 3000, "$ne", "s0000%0A", "*"],
)
def test_segment_name_that_is_none_reads_nothing(clinic: Provider, patient: Patient, segment: str) -> None:
    consent = patient.permit(clinic.member_id)
    path = f"/v1/records/{patient.record_id}/segments/{segment}"
    response = raw(clinic.api, "GET", path, params={"purpose": "TREAT"})
    assert response.status_code in (403, 404, 422), response.text[:200]
    patient.wallet.revoke(consent)


@pytest.mark.parametrize("purpose", ["NOSUCH", "", "treat", "TREAT TREAT", "\x00", "T" * 50])
def test_purpose_that_is_no_code_is_refused(clinic: Provider, patient: Patient, purpose: str) -> None:
    response = _read(clinic, patient.record_id, purpose=purpose)
    assert response.status_code == 422
    assert response.json()["code"] in ("unknown_code", "invalid_input")


@pytest.mark.parametrize("member", ["purposes", "categories", "sensitivities", "actions"])
def test_request_with_a_code_that_is_unknown_is_refused(
    clinic: Provider, patient: Patient, member: str
) -> None:
    body = {
        "patient_ref": clinic.find(patient.record_number),
        "purposes": ["TREAT"],
        "categories": ["notes"],
        "not_after": "2035-01-01T00:00:00Z",
        member: ["NOSUCH"],
    }
    response = raw(clinic.api, "POST", "/v1/consent-requests", json=body)
    assert_problem(response, 422, "unknown_code")
    assert patient.api.get("/v1/consent-requests") == []


@pytest.mark.parametrize("version", ["0", "-1", "2", "9" * 40, "one"])
def test_version_that_is_not_there_is_not_read(clinic: Provider, patient: Patient, version: str) -> None:
    consent = patient.permit(clinic.member_id)
    assert _read(clinic, patient.record_id, version=version).status_code in (403, 422)
    patient.wallet.revoke(consent)


@pytest.fixture
def paged(
    new_patient: Callable[[], Patient], hospital: Provider, clinic: Provider
) -> tuple[Patient, str, str]:
    """A patient with two records and a permit for the clinic; the cursor of the second page."""
    patient = new_patient()
    assert store(hospital, patient.subject, patient.bundle).status_code == 201
    consent = patient.permit(clinic.member_id)
    page = clinic.api.get("/v1/records", purpose="TREAT", subject=patient.subject, limit=1)
    assert len(page["records"]) == 1
    return patient, consent, page["next"]


def test_cursor_works_for_its_owner_and_is_refused_to_everybody_else(
    paged: tuple[Patient, str, str], clinic: Provider, other_clinic: Provider, patient: Patient
) -> None:
    owner, consent, cursor = paged
    query = {"purpose": "TREAT", "subject": owner.subject, "limit": 1, "cursor": cursor}
    assert len(clinic.api.get("/v1/records", **query)["records"]) == 1
    assert_problem(raw(other_clinic.api, "GET", "/v1/records", params=query), 422, "cursor_refused")
    for change in ({"subject": patient.subject}, {"purpose": "HPAYMT"}, {"cursor": cursor[:-2] + "AA"}):
        response = raw(clinic.api, "GET", "/v1/records", params={**query, **change})
        assert_problem(response, 422, "cursor_refused")
    # Each page is authorised again.
    owner.wallet.revoke(consent)
    assert clinic.api.get("/v1/records", **query)["records"] == []


@pytest.mark.parametrize("cursor", ["", "A", "../..", "\x00", "é", base64.b64encode(bytes(40)).decode()])
def test_cursor_nobody_was_given_is_refused(clinic: Provider, patient: Patient, cursor: str) -> None:
    query = {"purpose": "TREAT", "subject": patient.subject, "cursor": cursor}
    assert_problem(raw(clinic.api, "GET", "/v1/records", params=query), 422, "cursor_refused")


def test_access_list_of_another_patient_looks_like_none(
    patient: Patient, new_patient: Callable[[], Patient]
) -> None:
    other = new_patient()
    for path in ("/v1/accesses", "/v1/accesses/proof", "/v1/accesses/0/proof"):
        answers = [
            raw(other.api, "GET", path, params={"subject": subject})
            for subject in (patient.subject, "0x" + "ab" * 12)
        ]
        assert_problem(answers[0], 404, "not_found")
        assert _bare(answers[0]) == _bare(answers[1])


@pytest.mark.parametrize("index", ["-1", str(2**63), str(2**200), "one", "%00", "999999"])
def test_proof_of_an_entry_that_is_not_ours_is_refused(patient: Patient, index: str) -> None:
    response = raw(patient.api, "GET", f"/v1/accesses/{index}/proof", params={"subject": patient.subject})
    assert response.status_code in (404, 422)


@pytest.mark.parametrize("before", ["-1", str(2**63), str(2**200), "one"])
def test_place_in_the_list_that_is_absurd_is_refused_or_the_end(patient: Patient, before: str) -> None:
    response = raw(patient.api, "GET", "/v1/accesses", params={"subject": patient.subject, "before": before})
    assert response.status_code in (200, 422)
