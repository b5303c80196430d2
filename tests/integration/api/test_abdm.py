"""ABDM over the API: an HIU asks, the patient signs, artefacts, end and acknowledgement; replays."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from backend.demo.actors import Api, Provider
from backend.interop.receipts.signing import check_proof
from tests.integration.api.world import Patient, Service, assert_problem, in_days, provider, raw
from tests.support.receiver import receiving

Json = dict[str, Any]


@pytest.fixture
def patient(new_patient: Callable[[], Patient]) -> Patient:
    return new_patient()


@pytest.fixture(scope="module")
def hiu(service: Service, operator: Api) -> Provider:
    return provider(service, operator, "ABDM Clinic")


def consent(hiu: Provider, patient: Patient, **changes: Any) -> Json:
    return {
        "purpose": {"text": "Care Management", "code": "CAREMGT", "refUri": "https://abdm.gov.in/purpose"},
        "patient": {"id": hiu.find(patient.record_number)},
        "hiu": {"id": "100005"},
        "requester": {
            "name": "Dr. Manju",
            "identifier": {"type": "REGNO", "value": "MH1001", "system": "https://www.mciindia.org"},
        },
        "hiTypes": ["DiagnosticReport", "Prescription"],
        "permission": {
            "accessMode": "VIEW",
            "dateRange": {"from": "2000-01-01T00:00:00.000Z", "to": in_days(1)},
            "dataEraseAt": in_days(30),
            "frequency": {"unit": "HOUR", "value": 1, "repeats": 5},
        },
        **changes,
    }


def envelope(**members: Any) -> Json:
    return {"requestId": str(uuid.uuid4()), "timestamp": datetime.now(UTC).isoformat(), **members}


def send(api: Api, act: str, body: Json) -> httpx.Response:
    return raw(api, "POST", f"/v1/abdm/{act}", json=body)


def taken(response: httpx.Response) -> Json:
    assert response.status_code == 202, response.text
    found: Json = response.json()
    return found


def requested(hiu: Provider, patient: Patient, **changes: Any) -> str:
    answer = taken(send(hiu.api, "consent-requests/init", envelope(consent=consent(hiu, patient, **changes))))
    return str(answer["consentRequest"]["id"])


def status(hiu: Provider, request: str) -> Json:
    answer = taken(send(hiu.api, "consent-requests/status", envelope(consentRequestId=request)))
    found: Json = answer["consentRequest"]
    return found


def until(hiu: Provider, request: str, wanted: str) -> Json:
    deadline = time.monotonic() + 60
    while (found := status(hiu, request))["status"] != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_request_is_signed_by_the_patient_fetched_revoked_and_acknowledged(
    service: Service, hiu: Provider, other_clinic: Provider, hospital: Provider, patient: Patient
) -> None:
    request = requested(hiu, patient)
    assert status(hiu, request) == {"id": request, "status": "REQUESTED", "consentArtefacts": []}
    asked = patient.api.get(f"/v1/consent-requests/{request}")
    assert (asked["purposes"], asked["actions"], asked["sensitivities"]) == (["CAREMGT"], ["access"], [])
    assert set(asked["categories"]) == {"laboratory", "imaging_metadata", "reports", "medications"}
    assert asked["frequency"] == {"uses": 5, "period_seconds": 3600}
    assert asked["erase_by"] == asked["not_after"]
    assert asked["message"] == "Dr. Manju: Care Management"

    consent_id = patient.wallet.answer(request, "grant", categories=["laboratory", "medications"])[
        "consent_id"
    ]
    granted = until(hiu, request, "GRANTED")
    own = "0x" + service.world.stores.tenant.hex()
    artefacts = {}
    for named in granted["consentArtefacts"]:
        answer = taken(send(hiu.api, "consents/fetch", envelope(consentId=named["id"])))
        artefact = answer["consent"]
        detail = artefact["consentDetail"]
        assert artefact["status"] == "GRANTED"
        assert detail["consentId"] == named["id"]
        check_proof(artefact["signature"], detail, service.http.get("/.well-known/document-jwks.json").json())
        artefacts[detail["hip"]["id"]] = detail
        assert_problem(
            send(other_clinic.api, "consents/fetch", envelope(consentId=named["id"])), 404, "not_found"
        )
    assert set(artefacts) == {own, hospital.member_id}
    holding = artefacts[hospital.member_id]
    assert [each["careContextReference"] for each in holding["careContexts"]] == [patient.record_id]
    assert holding["hiTypes"] == ["Prescription"]  # a DiagnosticReport would be more than was granted
    assert holding["extension"]["consent"] == consent_id
    assert holding["permission"]["frequency"] == {"unit": "HOUR", "value": 1, "repeats": 5}
    theirs = taken(send(hospital.api, "consents/fetch", envelope(consentId=holding["consentId"])))
    assert theirs["consent"]["consentDetail"] == holding

    patient.wallet.revoke(consent_id)
    ended = until(hiu, request, "REVOKED")
    assert ended["consentArtefacts"] == granted["consentArtefacts"]
    notice = open_notice(patient, consent_id)
    assert notice["acknowledge_by"] is not None
    acknowledgement = [{"status": "OK", "consentId": holding["consentId"]}]
    other = envelope(acknowledgement=acknowledgement, resp={"requestId": str(uuid.uuid4())})
    assert_problem(send(hiu.api, "consents/on-notify", other), 404, "not_found")
    assert open_notice(patient, consent_id)["acknowledged_at"] is None
    answered = envelope(
        acknowledgement=acknowledgement, resp={"requestId": str(uuid.UUID(notice["notice_id"]))}
    )
    taken(send(hiu.api, "consents/on-notify", answered))
    assert open_notice(patient, consent_id)["state"] == "acknowledged"


@contextmanager
def told(hiu: Provider) -> Iterator[Callable[[str], Json]]:
    """Have the HIU's system take ABDM's messages; give a way to wait for the one of a status."""
    with receiving(host="127.0.0.1") as receiver:
        path = f"/v1/clients/{hiu.client_id}/webhook"
        hiu.api.call("PUT", path, json={"url": receiver.url, "topics": ["abdm.notify"]})

        def wait(status: str) -> Json:
            deadline = time.monotonic() + 60
            while True:
                found = [one.json for one in receiver.got if one.json["notification"]["status"] == status]
                if found:
                    assert len(found) == 1
                    return dict(found[0])
                assert time.monotonic() < deadline, [each.json for each in receiver.got]
                time.sleep(0.03)

        yield wait
        hiu.api.call("DELETE", path)


def acknowledge(hiu: Provider, message: Json) -> httpx.Response:
    artefact = message["notification"]["consentArtefacts"][0]["id"]
    body = envelope(
        acknowledgement=[{"status": "OK", "consentId": artefact}], resp={"requestId": message["requestId"]}
    )
    return send(hiu.api, "consents/on-notify", body)


def test_grant_and_end_are_told_in_abdms_form_and_acknowledged(
    service: Service, hiu: Provider, other_clinic: Provider, hospital: Provider, patient: Patient
) -> None:
    notifications = service.world.stores.database["abdm_notifications"]
    with told(hiu) as wait:
        request = requested(hiu, patient)
        consent_id = patient.wallet.answer(request, "grant")["consent_id"]
        granted = wait("GRANTED")
        assert granted["notification"]["consentRequestId"] == request
        names = granted["notification"]["consentArtefacts"]
        assert names == status(hiu, request)["consentArtefacts"]
        assert_problem(acknowledge(other_clinic, granted), 404, "not_found")
        row = {"_id": uuid.UUID(granted["requestId"]).hex}
        assert (notifications.find_one(row) or {})["acknowledged_at"] is None
        taken(acknowledge(hiu, granted))
        assert (notifications.find_one(row) or {})["acknowledged_at"] is not None
        sent_to = {found["member"] for found in notifications.find({"consent_id": consent_id[2:]})}
        assert hospital.member_id[2:] in sent_to  # each provider has a message of its own

        patient.wallet.revoke(consent_id)
        revoked = wait("REVOKED")
        assert uuid.UUID(revoked["requestId"]).hex == open_notice(patient, consent_id)["notice_id"]
        taken(acknowledge(hiu, revoked))
        assert open_notice(patient, consent_id)["state"] == "acknowledged"


def test_refusal_and_expiry_are_told_in_abdms_form(service: Service, hiu: Provider, patient: Patient) -> None:
    with told(hiu) as wait:
        patient.wallet.answer(requested(hiu, patient), "refuse")
        assert wait("DENIED")["notification"]["consentArtefacts"] == []
        ends = datetime.now(UTC) + timedelta(seconds=4)
        patient.wallet.answer(requested(hiu, patient), "grant", not_after=ends.isoformat())
        wait("GRANTED")
        assert wait("EXPIRED")["notification"]["consentArtefacts"]


def test_holders_are_told_when_copies_must_be_gone_and_report_it(hiu: Provider, patient: Patient) -> None:
    due = datetime.now(UTC) + timedelta(seconds=4)
    consent_id = patient.permit(hiu.member_id, erase_by=due.isoformat())
    notice = open_notice(patient, consent_id)
    assert (notice["reason"], notice["member_id"], notice["state"]) == ("erase_due", hiu.member_id, "sent")
    hiu.api.post(f"/v1/notices-of-revocation/{notice['notice_id']}/ack")
    assert open_notice(patient, consent_id)["state"] == "acknowledged"


def open_notice(patient: Patient, consent_id: str) -> Json:
    deadline = time.monotonic() + 60
    while not (
        found := patient.api.get("/v1/notices-of-revocation", subject=patient.subject, consent=consent_id)
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (notice,) = found
    return dict(notice)


def test_refusal_is_denied(hiu: Provider, patient: Patient) -> None:
    request = requested(hiu, patient)
    patient.wallet.answer(request, "refuse")
    assert until(hiu, request, "DENIED")["consentArtefacts"] == []


def test_same_message_gives_the_same_answer_and_another_under_its_id_is_refused(
    hiu: Provider, patient: Patient
) -> None:
    body = envelope(consent=consent(hiu, patient))
    first = taken(send(hiu.api, "consent-requests/init", body))
    assert taken(send(hiu.api, "consent-requests/init", body)) == first
    changed = {**body, "consent": {**body["consent"], "hiTypes": ["WellnessRecord"]}}
    refused = send(hiu.api, "consent-requests/init", changed)
    assert_problem(refused, 409, "idempotency_key_reused")
    reused = envelope(consentRequestId=first["consentRequest"]["id"]) | {"requestId": body["requestId"]}
    assert_problem(send(hiu.api, "consent-requests/status", reused), 409, "idempotency_key_reused")
    assert len(patient.api.get("/v1/consent-requests")) == 1


@pytest.mark.parametrize("minutes", [-11, 11])
def test_message_out_of_the_window_is_refused(hiu: Provider, patient: Patient, minutes: int) -> None:
    body = envelope(consent=consent(hiu, patient))
    body["timestamp"] = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    problem = assert_problem(send(hiu.api, "consent-requests/init", body), 422, "abdm_stale")
    assert problem["field"] == "body.timestamp"


def test_request_of_another_and_of_another_form_is_unknown(
    hiu: Provider, other_clinic: Provider, patient: Patient
) -> None:
    request = requested(hiu, patient)
    for wanted in (request, "0x" + "11" * 32):
        answer = send(other_clinic.api, "consent-requests/status", envelope(consentRequestId=wanted))
        assert_problem(answer, 404, "not_found")


def test_provider_elsewhere_is_refused(hiu: Provider, patient: Patient) -> None:
    body = envelope(consent=consent(hiu, patient, hip={"id": "1000065"}))
    problem = assert_problem(send(hiu.api, "consent-requests/init", body), 422, "abdm_unsupported")
    assert problem["field"] == "consent.hip.id"
