"""Who is told why, and what a draft would open before it is signed."""

from __future__ import annotations

from typing import Any

import pytest

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from tests.integration.api.world import Patient, Service, assert_problem, in_days, raw, staff


@pytest.fixture(scope="module")
def officer(service: Service) -> Api:
    return staff(service, "officer", Role.PRIVACY_OFFICER)


def _about(patient: Patient, clinic: Provider, **changes: Any) -> dict[str, Any]:
    return {
        "subject": patient.subject,
        "requester": {"member": clinic.member_id},
        "purpose": "TREAT",
        "categories": ["laboratory"],
        **changes,
    }


def test_patient_officer_and_auditor_get_every_reason_and_the_log_names_whose_question_it_was(
    patient: Patient, clinic: Provider, officer: Api, auditor: Api
) -> None:
    rules = [{"effect": "deny", "categories": ["notes"]}]
    consent = patient.permit(clinic.member_id, categories=["laboratory", "notes"], rules=rules)
    for caller in (patient.api, officer, auditor):
        answer = caller.post("/v1/decisions", _about(patient, clinic))
        assert (answer["answer"], answer["reasons"], answer["consents"]) == (
            "permit",
            ["permitted"],
            [consent],
        )
        assert answer["sentence"].startswith("Permitted: looking at it for treatment")
        denied = caller.post("/v1/decisions", _about(patient, clinic, categories=["notes"]))
        (explained,) = [item for item in denied["explanation"] if item["consent_id"] == consent]
        assert (denied["answer"], explained["reason"]) == ("deny", "denies")
        assert [(rule["applies"], rule["decides"]) for rule in explained["rules"]] == [(True, True)]
        entry = patient.accesses()[0]
        assert (entry["type"], entry["detail"]["requester"]) == ("decision.explained", clinic.member_id)
    patient.wallet.revoke(consent)


def test_requester_gets_one_coarse_reason_whatever_exists(
    patient: Patient, clinic: Provider, other_clinic: Provider
) -> None:
    own = {"subject": patient.subject, "purpose": "TREAT", "categories": ["laboratory"]}
    nothing = clinic.api.post("/v1/decisions", own)
    consent = patient.permit(other_clinic.member_id)
    deny = patient.wallet.consent(subject=patient.subject, kind="deny", grantee=clinic.member_id)
    forbidden = clinic.api.post("/v1/decisions", own)
    moving = ("final_block", "head_block", "queue_position")
    assert {**forbidden, **dict.fromkeys(moving)} == {**nothing, **dict.fromkeys(moving)}
    assert (forbidden["answer"], forbidden["reasons"]) == ("deny", ["consent_required"])
    patient.end(consent, deny["consent_id"])


def test_requester_may_not_ask_what_others_may_see(
    patient: Patient, clinic: Provider, other_clinic: Provider, stranger: Wallet
) -> None:
    response = raw(clinic.api, "POST", "/v1/decisions", json=_about(patient, other_clinic))
    assert_problem(response, 403, "not_permitted")
    response = raw(stranger.api, "POST", "/v1/decisions", json=_about(patient, other_clinic))
    assert response.status_code == 403


def test_reviewer_names_whose_question_it_is(patient: Patient, officer: Api, clinic: Provider) -> None:
    body = {name: value for name, value in _about(patient, clinic).items() if name != "requester"}
    assert_problem(raw(officer, "POST", "/v1/decisions", json=body), 422, "invalid_input")
    assert_problem(
        raw(officer, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"}),
        403,
        "scope_missing",
    )


def _draft(patient: Patient, grantee: str, **changes: Any) -> dict[str, Any]:
    wish = {
        "subject": patient.subject,
        "kind": "permit",
        "grantee": grantee,
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "actions": ["access"],
        "not_after": in_days(30),
        **changes,
    }
    draft: dict[str, Any] = patient.api.post("/v1/consents/draft", wish)
    return {"subject": patient.subject, "message": draft["message"]}


def test_preview_is_what_a_read_then_shows(patient: Patient, clinic: Provider) -> None:
    raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})
    before = clinic.api.get("/v1/records", subject=patient.subject, purpose="TREAT")["records"]
    body = _draft(patient, clinic.member_id)
    preview = patient.api.post("/v1/consents/preview", body)
    assert preview["records_now"] == len(before) == 0
    assert patient.record_id in preview["opened"]
    assert preview["records_hidden"] > 0
    assert preview["attempts"] >= preview["attempts_answered"] >= 1
    counted = {item["category"]: item for item in preview["categories"]}
    assert counted["laboratory"]["then"] > 0
    assert all(item["then"] == 0 for code, item in counted.items() if code != "laboratory")
    consent = patient.permit(clinic.member_id, categories=["laboratory"])
    listed = clinic.api.get("/v1/records", subject=patient.subject, purpose="TREAT")["records"]
    assert {item["record_id"] for item in listed} == set(preview["opened"])
    again = patient.api.post("/v1/consents/preview", body)
    assert (again["opened"], again["records_now"]) == ([], len(listed))
    patient.wallet.revoke(consent)


def test_preview_of_a_deny_names_what_it_closes(patient: Patient, clinic: Provider) -> None:
    consent = patient.permit(clinic.member_id, categories=["laboratory"])
    wish = {"subject": patient.subject, "kind": "deny"}
    message = patient.api.post("/v1/consents/draft", wish)["message"]
    body = {"subject": patient.subject, "message": message, "purposes": ["TREAT"]}
    assert_problem(raw(patient.api, "POST", "/v1/consents/preview", json=body), 422, "invalid_input")
    body["requester"] = {"member": clinic.member_id}
    preview = patient.api.post("/v1/consents/preview", body)
    assert preview["closed"]
    assert (preview["opened"], preview["records_then"]) == ([], 0)
    patient.wallet.revoke(consent)


def test_preview_is_for_the_patient_alone_and_in_the_patients_list(
    patient: Patient, new_patient: Any, clinic: Provider
) -> None:
    body = _draft(patient, clinic.member_id)
    assert raw(clinic.api, "POST", "/v1/consents/preview", json=body).status_code == 403
    other = new_patient()
    assert_problem(raw(other.api, "POST", "/v1/consents/preview", json=body), 404, "not_found")
    swapped = {**body, "subject": other.subject}
    assert_problem(raw(other.api, "POST", "/v1/consents/preview", json=swapped), 404, "not_found")
    patient.api.post("/v1/consents/preview", body)
    entry = patient.accesses()[0]
    assert (entry["type"], entry["detail"]) == ("consent.read", {"preview": True})
