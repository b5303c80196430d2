"""A client that sends again what is under way, or what was refused, is told the truth about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest

from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.ledger import ConsentLedger
from backend.demo.actors import Provider
from tests.integration.api.world import Patient, Service, assert_problem, in_days, raw, store

CALLERS = 8
TIMEOUT_SECONDS = 20


def at_once(send: Callable[[], httpx.Response]) -> list[httpx.Response]:
    start = Barrier(CALLERS)

    def call(_: int) -> httpx.Response:
        start.wait()
        return send()

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(call, range(CALLERS)))


def signed_permit(patient: Patient, clinic: Provider) -> dict[str, Any]:
    wish = {
        "subject": patient.subject,
        "kind": "permit",
        "grantee": clinic.member_id,
        "purposes": ["TREAT"],
        "categories": ["notes"],
        "actions": ["access"],
        "not_after": in_days(30),
    }
    draft = patient.api.post("/v1/consents/draft", wish)
    return {"message": draft["message"], "signature": patient.wallet.sign_typed(draft["typed_data"])}


def signed_stop(patient: Patient, consent_id: str) -> dict[str, Any]:
    draft = patient.api.post("/v1/revocations/draft", {"consent_id": consent_id})
    return {"consent_id": consent_id, "signature": patient.wallet.sign_typed(draft["typed_data"])}


def test_same_grant_and_stop_sent_many_times_at_once_give_one_outcome_to_all(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    for _ in range(3):
        body = signed_permit(patient, clinic)
        granted = at_once(lambda: raw(service.anyone(), "POST", "/v1/consents", json=body))  # noqa: B023
        assert {answer.status_code for answer in granted} == {201}, [answer.text for answer in granted]
        (consent_id,) = {answer.json()["consent_id"] for answer in granted}
        assert len({answer.json()["transaction"] for answer in granted}) == 1
        stop = signed_stop(patient, consent_id)
        stopped = at_once(lambda: raw(service.anyone(), "POST", "/v1/revocations", json=stop))  # noqa: B023
        assert {answer.status_code for answer in stopped} == {200}, [answer.text for answer in stopped]
    written = [entry["type"] for entry in patient.accesses()]
    assert written.count("consent.granted") == written.count("consent.revoked") == 3


def test_same_upload_sent_many_times_at_once_is_stored_once(
    new_patient: Callable[[], Patient], hospital: Provider
) -> None:
    patient = new_patient()
    headers = {"Idempotency-Key": f"at-once-{patient.record_number}", "Content-Type": "text/plain"}
    stored = at_once(lambda: store(hospital, patient.subject, b"letter", headers=headers))
    assert {answer.status_code for answer in stored} == {201}, [answer.text for answer in stored]
    assert len({answer.text for answer in stored}) == 1
    written = [entry["type"] for entry in patient.accesses()]
    assert written.count("record.stored") == 2  # this one, and the bundle that every patient starts with


def test_grant_that_the_chain_refused_is_refused_again_and_never_called_pending(
    service: Service, patient: Patient, clinic: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = signed_permit(patient, clinic)
    with monkeypatch.context() as patch:
        patch.setattr(ConsentLedger, "record", _rejecting)
        assert_problem(raw(service.anyone(), "POST", "/v1/consents", json=body), 409, "ledger_rejected")
    again = assert_problem(raw(service.anyone(), "POST", "/v1/consents", json=body), 409, "act_failed")
    assert "ledger_rejected" in again["detail"]


def test_stop_that_the_chain_refused_once_takes_effect_when_it_is_sent_again(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = new_patient()
    stop = signed_stop(patient, patient.permit(clinic.member_id))
    with monkeypatch.context() as patch:
        patch.setattr(ConsentLedger, "revoke", _rejecting)
        assert raw(service.anyone(), "POST", "/v1/revocations", json=stop).json()["block"] is None
        eventually(lambda: _states(service, stop) == ["failed"])

    def is_mined() -> bool:
        return raw(service.anyone(), "POST", "/v1/revocations", json=stop).json()["block"] is not None

    eventually(is_mined)
    assert sorted(_states(service, stop)) == ["done", "failed"]


def _states(service: Service, stop: dict[str, Any]) -> list[str]:
    """The states of the acts that a stop began."""
    acts = service.world.stores.database["acts"].find({"kind": "revocation"})
    return [act["state"] for act in acts if act["act_id"].startswith(stop["consent_id"][2:])]


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def _rejecting(*_: object, **__: object) -> None:
    raise LedgerRejected("Reverted")
