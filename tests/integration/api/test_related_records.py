"""A rule can name single records, records with all that belong to them, and authors."""

from __future__ import annotations

from typing import Any

import httpx

from backend.demo.actors import Provider
from tests.integration.api.world import Patient, assert_problem, raw


def _store(hospital: Provider, patient: Patient, content: bytes, **query: Any) -> httpx.Response:
    return raw(
        hospital.api,
        "POST",
        "/v1/records",
        params={"subject": patient.subject, "categories": ["notes"], "sensitivities": ["N"], **query},
        headers={"Content-Type": "text/plain"},
        content=content,
    )


def _seen(clinic: Provider, *records: str) -> list[bool]:
    answers = [raw(clinic.api, "GET", f"/v1/records/{name}", params={"purpose": "TREAT"}) for name in records]
    return [answer.status_code == 200 for answer in answers]


def test_rule_about_a_record_with_its_related_ones_reaches_these_and_no_others(
    clinic: Provider, hospital: Provider, patient: Patient
) -> None:
    order = _store(hospital, patient, b"order").json()["record_id"]
    report = _store(hospital, patient, b"report", related=[order]).json()["record_id"]
    other = _store(hospital, patient, b"other").json()["record_id"]
    for name, expected in (
        ("records_with_related", [False, False, True]),
        ("records", [False, True, True]),
    ):
        rules = [{"effect": "deny", name: [order]}]
        consent = patient.permit(clinic.member_id, categories=["notes"], rules=rules)
        assert _seen(clinic, order, report, other) == expected
        patient.end(consent)
    rules = [{"effect": "deny", "authors": [hospital.member_id]}]
    consent = patient.permit(clinic.member_id, categories=["notes"], rules=rules)
    assert _seen(clinic, order, report, other) == [False, False, False]
    patient.end(consent)


def test_record_of_nobody_or_of_another_patient_is_no_relation(
    hospital: Provider, patient: Patient, new_patient: Any
) -> None:
    other = new_patient()
    for name in ("00" * 16, other.record_id):
        assert_problem(_store(hospital, patient, b"x", related=[name]), 404, "record_unknown")
