"""A client that sends again what is under way, or what was refused, is told the truth about it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.ledger import ConsentLedger
from backend.demo.actors import Provider
from backend.outbox.types import FAILED, Act
from backend.types import UnixSeconds
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
    # The entry of a grant follows its answer.
    eventually(lambda: written(patient, "consent.granted") == 3)
    assert written(patient, "consent.revoked") == 3


def test_same_upload_sent_many_times_at_once_is_stored_once(
    new_patient: Callable[[], Patient], hospital: Provider
) -> None:
    patient = new_patient()
    headers = {"Idempotency-Key": f"at-once-{patient.record_number}", "Content-Type": "text/plain"}
    stored = at_once(lambda: store(hospital, patient.subject, b"letter", headers=headers))
    assert {answer.status_code for answer in stored} == {201}, [answer.text for answer in stored]
    assert len({answer.text for answer in stored}) == 1
    assert written(patient, "record.stored") == 2  # this one, and the bundle that every patient starts with


def test_grant_that_the_chain_refused_is_refused_again_and_never_called_pending(
    service: Service, patient: Patient, clinic: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = signed_permit(patient, clinic)
    with monkeypatch.context() as patch:
        patch.setattr(ConsentLedger, "record", lambda *_, **__: _rejecting([]))
        assert_problem(raw(service.anyone(), "POST", "/v1/consents", json=body), 409, "ledger_rejected")
    again = assert_problem(raw(service.anyone(), "POST", "/v1/consents", json=body), 409, "act_failed")
    assert "ledger_rejected" in again["detail"]


def test_stop_that_the_chain_refuses_stays_in_force_and_is_recorded_later(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = new_patient()
    stop = signed_stop(patient, patient.permit(clinic.member_id))
    restart = (
        service.world.services.revocations.restore_restrictions
    )  # what a start does with unfinished acts
    read = {"purpose": "TREAT"}
    with monkeypatch.context() as patch:
        tried: list[bool] = []
        patch.setattr(ConsentLedger, "revoke", lambda *_, **__: _rejecting(tried))
        assert raw(service.anyone(), "POST", "/v1/revocations", json=stop).json()["block"] is None
        eventually(lambda: bool(tried))
        restart()
        response = raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params=read)
        assert_problem(response, 403, "consent_required")
        assert _states(service, stop) == ["logged"]
    eventually(lambda: _states(service, stop) == ["done"])
    assert patient.consents()[-1]["state"] == "revoked"
    assert raw(service.anyone(), "POST", "/v1/revocations", json=stop).json()["block"] is not None


def test_stop_that_was_found_false_begins_anew_when_it_is_sent_again(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    """What it lacked then, such as a subject still being opened, may be there now."""
    patient = new_patient()
    stop = signed_stop(patient, patient.permit(clinic.member_id))
    body = {**stop, "signature": "0x" + bytes(65).hex()}
    assert_problem(raw(service.anyone(), "POST", "/v1/revocations", json=body), 422, "signature_invalid")
    signed = hashlib.sha256(bytes.fromhex(stop["signature"][2:])).hexdigest()[:16]
    store = MongoActStore(service.world.stores.database, service.world.stores.keys)
    act_id = f"{stop['consent_id'][2:]}/{signed}"
    act = Act("revocation", act_id, FAILED, {}, fence=1, attempts=0, created_at=UnixSeconds(1))
    assert store.insert(act, holder="", leased_until=UnixSeconds(0))
    assert raw(service.anyone(), "POST", "/v1/revocations", json=stop).json()["state"] == "in_force"
    eventually(lambda: sorted(_states(service, stop)) == ["done", "failed"])


def written(patient: Patient, kind: str) -> int:
    return [entry["type"] for entry in patient.accesses()].count(kind)


def _states(service: Service, stop: dict[str, Any]) -> list[str]:
    """The states of the acts that a stop began."""
    acts = service.world.stores.database["acts"].find({"kind": "revocation"})
    return [act["state"] for act in acts if act["act_id"].startswith(stop["consent_id"][2:])]


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def _rejecting(tried: list[bool]) -> None:
    tried.append(True)
    raise LedgerRejected("Reverted")
