"""Conditions of a consent are carried out by the service, and the patient's log says so."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from backend.demo.actors import Api, Provider
from backend.identity.roles import Role
from backend.types import MemberId
from tests.integration.api.world import (
    EVERYTHING,
    PASSWORD,
    Patient,
    Service,
    assert_problem,
    permit_wish,
    raw,
)


@pytest.fixture(scope="module")
def physician(service: Service, clinic: Provider) -> Api:
    """A person at the clinic."""
    service.world.services.identity.add_user(
        username="physician.of.conditions",
        password=PASSWORD,
        roles=frozenset({Role.PROVIDER}),
        member_id=MemberId(bytes.fromhex(clinic.member_id[2:])),
        by=None,
    )
    api = service.anyone()
    credentials = {"username": "physician.of.conditions", "password": PASSWORD}
    api.token = api.post("/v1/auth/staff", credentials)["access_token"]
    return api


@pytest.fixture(autouse=True)
def consents_ended(patient: Patient) -> Iterator[None]:
    """No condition of one test is left for the next."""
    yield
    patient.end(*(row["consent_id"] for row in patient.consents() if row["state"] == "live"))


def _under(patient: Patient, clinic: Provider, *obligations: str, **wish: Any) -> str:
    rules = [{"effect": "permit", "obligations": list(obligations)}]
    return patient.permit(clinic.member_id, rules=rules, **wish)


def _read(api: Api, record: str, **query: Any) -> httpx.Response:
    return raw(api, "GET", f"/v1/records/{record}", params={"purpose": "TREAT", **query})


def _letter(hospital: Provider, patient: Patient, label: str) -> str:
    """Store a plain document with one label of sensitivity; its record id."""
    answer = raw(
        hospital.api,
        "POST",
        "/v1/records",
        params={"subject": patient.subject, "categories": ["notes"], "sensitivities": [label]},
        headers={"Content-Type": "text/plain"},
        content=b"a letter",
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["record_id"])


def _entry(patient: Patient) -> dict[str, Any]:
    return next(entry for entry in patient.accesses() if entry["type"] == "record.read")


def _resources(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    payloads = [base64.b64decode(part["content"]) for part in answer.json()["segments"]]
    return [entry["resource"] for payload in payloads for entry in json.loads(payload)["entry"]]


def test_de_identified_read_tells_nobody_who_it_is(clinic: Provider, patient: Patient) -> None:
    _under(patient, clinic, "de_identify")
    answer = _read(clinic.api, patient.record_id)
    resources = _resources(answer)
    assert not any(
        {"name", "identifier", "address", "telecom", "text", "note"} & set(each) for each in resources
    )
    assert {len(each.get("effectiveDateTime", "2026")) for each in resources} == {4}
    source = {entry["resource"]["id"] for entry in json.loads(patient.bundle)["entry"]}
    assert not source & {each["id"] for each in resources}
    assert patient.record_number not in json.dumps(resources)
    assert answer.json()["obligations"] == ["de_identify"]
    assert _entry(patient)["obligations"] == ["de_identify"]


def test_document_that_cannot_be_de_identified_is_withheld(
    clinic: Provider, hospital: Provider, patient: Patient
) -> None:
    letter = _letter(hospital, patient, "N")
    consent = _under(patient, clinic, "de_identify", categories=["notes"])
    assert_problem(_read(clinic.api, letter), 403, "consent_required")
    entry = _entry(patient)
    assert (entry["outcome"], "obligation_withholds" in entry["reasons"]) == ("denied", True)
    patient.end(consent)
    patient.permit(clinic.member_id, categories=["notes"])
    assert _read(clinic.api, letter).status_code == 200


def test_redaction_withholds_what_is_specially_protected(
    clinic: Provider, hospital: Provider, patient: Patient
) -> None:
    letters = {label: _letter(hospital, patient, label) for label in ("N", "HIV")}
    _under(patient, clinic, "redact_labels", categories=["notes"], sensitivities=["HIV"])
    assert _read(clinic.api, letters["N"]).status_code == 200
    assert_problem(_read(clinic.api, letters["HIV"]), 403, "consent_required")
    listed = raw(
        clinic.api,
        "GET",
        "/v1/records",
        params={"purpose": "TREAT", "subject": patient.subject, "limit": 100},
    ).json()["records"]
    names = {record["record_id"] for record in listed}
    assert letters["N"] in names
    assert letters["HIV"] not in names


def test_what_may_not_leave_is_shown_to_a_person_and_given_to_no_program(
    clinic: Provider, physician: Api, patient: Patient
) -> None:
    _under(patient, clinic, "no_export", actions=["access", "export"])
    assert_problem(_read(clinic.api, patient.record_id), 403, "consent_required")
    assert "obligation_unfulfilled" in _entry(patient)["reasons"]
    shown = _read(physician, patient.record_id)
    assert shown.status_code == 200, shown.text
    assert shown.json()["obligations"] == ["no_export"]
    assert shown.headers["cache-control"] == "no-store"
    assert_problem(_read(physician, patient.record_id, action="export"), 403, "consent_required")


def test_figures_only_gives_no_record(clinic: Provider, physician: Api, patient: Patient) -> None:
    _under(patient, clinic, "aggregate_only")
    for api in (clinic.api, physician):
        assert_problem(_read(api, patient.record_id), 403, "consent_required")


def test_segment_names_its_conditions(clinic: Provider, patient: Patient) -> None:
    _under(patient, clinic, "notify", "de_identify")
    part = _read(clinic.api, patient.record_id).json()["segments"][0]["name"]
    answer = raw(
        clinic.api,
        "GET",
        f"/v1/records/{patient.record_id}/segments/{part}",
        params={"purpose": "TREAT"},
    )
    assert answer.headers["assent-obligations"] == "notify, de_identify"


def test_action_that_was_not_permitted_is_refused(clinic: Provider, patient: Patient) -> None:
    patient.permit(clinic.member_id)
    assert _read(clinic.api, patient.record_id).status_code == 200
    for action in ("use", "export", "disclose", "store"):
        assert_problem(_read(clinic.api, patient.record_id, action=action), 403, "consent_required")
    assert raw(
        clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT", "action": "look"}
    ).status_code in (400, 422)


def test_rules_that_contradict_each_other_are_refused_by_name(clinic: Provider, patient: Patient) -> None:
    rules = [
        {"effect": "permit", "categories": ["laboratory"], "obligations": ["notify"]},
        {"effect": "deny", "categories": ["laboratory"]},
    ]
    wish = permit_wish(patient, clinic, categories=EVERYTHING, rules=rules)
    problem = assert_problem(
        raw(patient.api, "POST", "/v1/consents/draft", json=wish), 422, "rules_contradict"
    )
    assert problem["field"] == "terms.rules[0]"


@pytest.mark.parametrize("name", ["grantees", "categories", "records", "authors"])
def test_empty_list_in_a_rule_is_refused_and_never_everything(
    clinic: Provider, patient: Patient, name: str
) -> None:
    wish = permit_wish(patient, clinic, rules=[{"effect": "permit", name: []}])
    problem = assert_problem(raw(patient.api, "POST", "/v1/consents/draft", json=wish), 422, "invalid_input")
    assert name in json.dumps(problem)
