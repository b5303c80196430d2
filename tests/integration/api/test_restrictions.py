"""Stops are in force from receipt, also between decision and release; requests show to those concerned."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from backend.demo.actors import Provider, Refused
from tests.integration.api.world import Patient, Service, assert_problem, raw

VOLATILE = {"date", "x-request-id"}


def _read(reader: Provider, record: str, **query: Any) -> httpx.Response:
    return raw(reader.api, "GET", f"/v1/records/{record}", params={"purpose": "TREAT", **query})


def _bare(response: httpx.Response) -> Any:
    """The answer without what differs between any two answers."""
    headers = sorted(item for item in response.headers.items() if item[0] not in VOLATILE)
    return response.status_code, {**response.json(), "request_id": ""}, headers


def test_deny_is_in_force_as_soon_as_it_is_acknowledged(clinic: Provider, patient: Patient) -> None:
    consent = patient.permit(clinic.member_id)
    assert clinic.read(patient.record_id)
    deny = patient.wallet.consent(kind="deny")
    assert_problem(_read(clinic, patient.record_id), 403, "consent_required")
    patient.end(deny["consent_id"], consent)


def test_revocation_is_in_force_before_it_is_on_the_chain(clinic: Provider, patient: Patient) -> None:
    consent = patient.permit(clinic.member_id)
    assert clinic.read(patient.record_id)
    stop = patient.wallet.revoke(consent)
    assert stop == {"state": "in_force", "subject": patient.subject, "block": None}
    assert_problem(_read(clinic, patient.record_id), 403, "consent_required")
    assert patient.wallet.revoke(consent)["state"] == "in_force"


@pytest.mark.parametrize("stop", ["revocation", "deny"])
def test_stop_between_decision_and_release_is_honoured(
    service: Service, clinic: Provider, patient: Patient, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    """The decision was 'permit', the content is decrypted: the stop comes before the entry is written."""
    consent = patient.permit(clinic.member_id)
    decisions = service.world.services.decisions
    take_uses = decisions.take_uses
    denies: list[str] = []

    def stop_meanwhile(*arguments: Any) -> None:
        take_uses(*arguments)
        monkeypatch.undo()
        if stop == "revocation":
            patient.wallet.revoke(consent)
        else:
            denies.append(patient.wallet.consent(kind="deny")["consent_id"])

    monkeypatch.setattr(decisions, "take_uses", stop_meanwhile)
    response = _read(clinic, patient.record_id)
    assert_problem(response, 403, "consent_required")
    reads = [entry for entry in patient.accesses() if entry["type"] == "record.read"]
    assert reads[0]["outcome"] == "denied"
    patient.end(consent, *denies)


def test_limited_uses_are_counted_over_requests(clinic: Provider, patient: Patient) -> None:
    consent = patient.permit(clinic.member_id, max_uses=2)
    statuses = [_read(clinic, patient.record_id).status_code for _ in range(3)]
    assert statuses[:2] == [200, 200]
    assert statuses[2] in (403, 409)
    patient.wallet.revoke(consent)


def test_uses_of_a_period_are_counted_over_requests(clinic: Provider, patient: Patient) -> None:
    consent = patient.permit(clinic.member_id, frequency={"uses": 2, "period_seconds": 3600})
    assert [_read(clinic, patient.record_id).status_code for _ in range(3)] == [200, 200, 403]
    patient.wallet.revoke(consent)


def test_entry_of_a_read_is_written_before_the_answer(clinic: Provider, patient: Patient) -> None:
    consent = patient.permit(clinic.member_id)
    time.sleep(0.2)  # the entry of the grant is written behind its answer
    for _ in range(3):
        before = len(patient.accesses())
        clinic.read(patient.record_id)
        assert len(patient.accesses()) == before + 1
    patient.wallet.revoke(consent)


def test_request_of_another_patient_looks_like_none(
    clinic: Provider, patient: Patient, new_patient: Callable[[], Patient], other_clinic: Provider
) -> None:
    other = new_patient()
    asked = clinic.ask(
        clinic.find(other.record_number),
        purposes=["TREAT"],
        categories=["notes"],
        not_after="2035-01-01T00:00:00Z",
    )
    for api in (patient.api, other_clinic.api):
        answers = [
            raw(api, "GET", f"/v1/consent-requests/{name}")
            for name in (asked["request_id"], "0x" + "77" * 32)
        ]
        assert_problem(answers[0], 404, "not_found")
        assert _bare(answers[0]) == _bare(answers[1])
    draft = raw(
        patient.api, "POST", f"/v1/consent-requests/{asked['request_id']}/draft", json={"answer": "grant"}
    )
    assert_problem(draft, 404, "not_found")


def test_grant_wider_than_the_request_is_refused(
    clinic: Provider, new_patient: Callable[[], Patient]
) -> None:
    patient = new_patient()
    asked = clinic.ask(
        clinic.find(patient.record_number),
        purposes=["TREAT"],
        categories=["notes"],
        not_after="2035-01-01T00:00:00Z",
    )
    with pytest.raises(Refused) as refusal:
        patient.wallet.answer(asked["request_id"], "grant", categories=["notes", "laboratory"])
    assert (refusal.value.status, refusal.value.code) == (422, "wider_than_request")
    assert patient.consents() == []
