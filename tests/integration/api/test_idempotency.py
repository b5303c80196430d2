"""Idempotency keys: a retry gives the same record, a key used for something else is refused."""

from __future__ import annotations

from backend.demo.actors import Provider
from tests.integration.api.world import Patient, assert_problem, store


def test_store_again_with_the_same_key_gives_the_same_record(hospital: Provider, patient: Patient) -> None:
    headers = {"Idempotency-Key": "upload-1", "Content-Type": "text/plain"}
    first = store(hospital, patient.subject, b"letter", headers=headers)
    again = store(hospital, patient.subject, b"letter", headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    stored = [entry for entry in patient.accesses() if entry["type"] == "record.stored"]
    assert [entry["records"] for entry in stored].count([first.json()["record_id"]]) == 1


def test_store_other_content_under_a_used_key_is_refused(hospital: Provider, patient: Patient) -> None:
    headers = {"Idempotency-Key": "upload-2", "Content-Type": "text/plain"}
    assert store(hospital, patient.subject, b"one letter", headers=headers).status_code == 201
    before = patient.accesses()
    assert_problem(store(hospital, patient.subject, b"another", headers=headers), 409, "version_taken")
    assert patient.accesses() == before


def test_store_under_a_used_key_for_another_subject_is_refused(hospital: Provider, patient: Patient) -> None:
    headers = {"Idempotency-Key": "upload-3", "Content-Type": "text/plain"}
    assert store(hospital, patient.subject, b"one letter", headers=headers).status_code == 201
    response = store(hospital, "0x" + "ab" * 12, b"one letter", headers=headers)
    assert response.status_code == 409, response.text
