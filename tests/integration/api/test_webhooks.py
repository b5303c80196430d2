"""Webhooks end to end: who is told what, how it is signed, how it is tried again, what never leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backend.demo.actors import Api, Provider, Refused
from backend.notices.types import DeliveryState
from tests.integration.api.test_request_lifecycle import ask
from tests.integration.api.world import Patient, Service, assert_problem, in_days, provider, raw
from tests.support.receiver import Receiver, receiving, verified


class System(Provider):
    """A provider's system with the receiver of its webhook."""

    receiver: Receiver
    secret: str


def listening(service: Service, operator: Api, name: str, receiver: Receiver, member: str | None) -> System:
    made = provider(service, operator, name, member)
    system = System(made.api, made.client_id, made.client_secret, made.member_id)
    system.receiver = receiver
    answer = system.api.call(
        "PUT", f"/v1/clients/{system.client_id}/webhook", json={"url": receiver.url}
    ).json()
    system.secret = answer["secret"]
    return system


@pytest.fixture
def clinic(service: Service, operator: Api) -> Iterator[System]:
    with receiving(host="127.0.0.1") as receiver:
        system = listening(service, operator, "Webhook Clinic", receiver, None)
        yield system
        operator.call("DELETE", f"/v1/clients/{system.client_id}/webhook")


@pytest.fixture
def portal(service: Service, operator: Api) -> Iterator[System]:
    """The custodian's own system, such as the patients' portal."""
    with receiving(host="127.0.0.1") as receiver:
        system = listening(service, operator, "portal", receiver, "0x" + service.world.stores.tenant.hex())
        yield system
        operator.call("DELETE", f"/v1/clients/{system.client_id}/webhook")


@pytest.fixture
def patient(new_patient: Callable[[], Patient]) -> Patient:
    return new_patient()


def notices(api: Api, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/v1/notices-of-revocation", **params)
    return found


def test_request_grant_access_and_revocation_reach_whom_they_concern(
    clinic: System, portal: System, patient: Patient
) -> None:
    request = ask(clinic, patient)["request_id"]
    (asked,) = portal.receiver.wait("consent.requested", subject=patient.subject)
    assert asked.json["data"]["request_id"] == request
    assert portal.api.http.get(asked.json["data"]["links"]["request"]).status_code == 401

    consent = patient.wallet.answer(request, "grant")["consent_id"]
    for system in (clinic, portal):
        (granted,) = system.receiver.wait("consent.granted", subject=patient.subject)
        assert granted.json["data"]["consent_id"] == consent
        assert granted.json["data"]["request_id"] == request
        assert granted.json["data"]["subject"] == patient.subject

    clinic.read(patient.record_id)
    entry = next(entry for entry in patient.accesses() if entry["type"] == "record.read")
    (access,) = portal.receiver.wait("access.recorded", subject=patient.subject)
    assert access.json["data"]["entry"] == entry["index"]

    patient.wallet.revoke(consent)
    for system in (clinic, portal):
        (revoked,) = system.receiver.wait("consent.revoked", subject=patient.subject)
        assert revoked.json["data"]["consent_id"] == consent
    assert "access.recorded" not in {each.json["type"] for each in clinic.receiver.got}
    assert "consent.requested" not in {each.json["type"] for each in clinic.receiver.got}


def test_messages_verify_with_the_secret_alone_and_not_when_changed(clinic: System, patient: Patient) -> None:
    patient.permit(clinic.member_id)
    (got,) = clinic.receiver.wait("consent.granted")
    assert verified(clinic.secret, got.headers, got.body)
    assert not verified(clinic.secret, got.headers, got.body + b" ")
    assert not verified(clinic.secret, {**got.headers, "webhook-id": "msg_x"}, got.body)
    assert not verified(clinic.secret, {**got.headers, "webhook-timestamp": "1"}, got.body)
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 60


def test_messages_hold_ids_times_and_links_and_nothing_about_health(
    clinic: System, portal: System, patient: Patient
) -> None:
    consent = patient.wallet.answer(ask(clinic, patient)["request_id"], "grant")["consent_id"]
    clinic.read(patient.record_id)
    patient.wallet.revoke(consent)
    portal.receiver.wait("consent.revoked", subject=patient.subject)
    clinic.receiver.wait("consent.revoked")
    known = {
        "subject", "request_id", "consent_id", "entry", "links", "notice_id", "acknowledge_by", "ends_at",
    }  # fmt: skip
    for got in portal.receiver.got + clinic.receiver.got:
        assert set(got.json) == {"type", "timestamp", "data"}
        assert set(got.json["data"]) <= known
        for secret in ("laboratory", "TREAT", patient.record_number, patient.record_id, "Test Person"):
            assert secret not in got.body.decode()


def test_deny_is_told_to_the_custodian_and_not_to_whom_it_shuts_out(
    clinic: System, portal: System, patient: Patient
) -> None:
    denied = patient.wallet.consent(kind="deny", grantee=clinic.member_id)["consent_id"]
    (told,) = portal.receiver.wait("consent.denied", subject=patient.subject)
    assert told.json["data"]["consent_id"] == denied
    patient.permit(clinic.member_id)  # comes after it: once this is told, a message of the deny would be too
    clinic.receiver.wait("consent.granted")
    assert clinic.receiver.of("consent.denied") == []


def test_request_of_a_blocked_requester_is_not_told(clinic: System, portal: System, patient: Patient) -> None:
    path = f"/v1/blocked-requesters/{clinic.member_id}"
    patient.api.call("PUT", path, params={"subject": patient.subject})
    ask(clinic, patient)
    patient.api.call("DELETE", path, params={"subject": patient.subject})
    later = ask(clinic, patient, "HPAYMT")["request_id"]
    (asked,) = portal.receiver.wait("consent.requested", subject=patient.subject)
    assert asked.json["data"]["request_id"] == later


def test_topics_that_were_not_chosen_are_not_sent(
    service: Service, operator: Api, clinic: System, patient: Patient
) -> None:
    body = {"url": clinic.receiver.url, "topics": ["consent.revoked"]}
    clinic.api.call("PUT", f"/v1/clients/{clinic.client_id}/webhook", json=body)
    consent = patient.permit(clinic.member_id)
    patient.wallet.revoke(consent)
    clinic.receiver.wait("consent.revoked")
    assert {each.json["type"] for each in clinic.receiver.got} == {"consent.revoked"}


def test_failed_message_is_sent_again_with_the_same_id(clinic: System, patient: Patient) -> None:
    clinic.receiver.answer = lambda number: 500 if number == 0 else 200
    patient.permit(clinic.member_id)
    first, second = clinic.receiver.wait("consent.granted", 2)
    assert (first.id, first.body) == (second.id, second.body)
    assert verified(clinic.secret, second.headers, second.body)


def test_message_given_up_is_shown_to_the_operator_and_can_be_tried_again(
    service: Service, operator: Api, clinic: System, patient: Patient
) -> None:
    deliveries = service.world.services.deliveries
    clinic.receiver.answer = lambda _: 503
    patience, deliveries._give_up_seconds = deliveries._give_up_seconds, 1
    try:
        patient.permit(clinic.member_id)
        clinic.receiver.wait("consent.granted", 2)  # two tries, then the time is up
        deadline = time.monotonic() + 60
        while not (dead := _listed(operator, clinic, DeliveryState.DEAD)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        deliveries._give_up_seconds = patience
    assert (dead[0]["failure"], dead[0]["topic"]) == ("status_503", "consent.granted")
    assert dead[0]["attempts"] == 2
    clinic.receiver.answer = lambda _: 200
    operator.post(f"/v1/webhook-deliveries/{dead[0]['message_id']}/retry")
    third = clinic.receiver.wait("consent.granted", 3)[2]
    assert third.id == dead[0]["message_id"]
    deadline = time.monotonic() + 60
    while not _listed(operator, clinic, DeliveryState.DELIVERED):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again = raw(operator, "POST", f"/v1/webhook-deliveries/{dead[0]['message_id']}/retry")
    assert_problem(again, 404, "delivery_unknown")


def _listed(operator: Api, system: System, state: DeliveryState) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = operator.get(
        "/v1/webhook-deliveries", state=state.value, client=system.client_id
    )
    return found


def test_new_secret_and_the_one_before_both_verify_for_a_day(clinic: System, patient: Patient) -> None:
    path = f"/v1/clients/{clinic.client_id}/webhook"
    body, headers = {"url": clinic.receiver.url}, {"Idempotency-Key": "rotate-1"}
    new = clinic.api.call("PUT", path, json=body, headers=headers).json()
    assert new["secret"] != clinic.secret
    again = clinic.api.call("PUT", path, json=body, headers=headers).json()
    assert again == new
    newer = clinic.api.call("PUT", path, json=body).json()
    assert_problem(raw(clinic.api, "PUT", path, json=body, headers=headers), 409, "client_secret_not_shown")
    assert newer["secret"] not in (new["secret"], clinic.secret)
    assert "secret" not in clinic.api.get(path)
    patient.permit(clinic.member_id)
    (got,) = clinic.receiver.wait("consent.granted")
    assert verified(newer["secret"], got.headers, got.body)
    assert verified(new["secret"], got.headers, got.body)
    assert not verified(clinic.secret, got.headers, got.body)  # only the one before holds beside the new one


def test_another_client_neither_sees_nor_sets_a_webhook(clinic: System, other_clinic: Provider) -> None:
    path = f"/v1/clients/{clinic.client_id}/webhook"
    for method in ("GET", "PUT", "DELETE"):
        body = {"json": {"url": "https://example.org/"}} if method == "PUT" else {}
        assert_problem(raw(other_clinic.api, method, path, **body), 403, "scope_missing")


def test_private_address_is_refused_at_registration(other_clinic: Provider) -> None:
    path = f"/v1/clients/{other_clinic.client_id}/webhook"
    for url in ("https://10.0.0.1/", "https://169.254.169.254/latest", "http://9.9.9.9/", "https://[::1]/"):
        problem = assert_problem(
            raw(other_clinic.api, "PUT", path, json={"url": url}), 422, "webhook_refused"
        )
        assert problem["field"] == "url"
    assert_problem(raw(other_clinic.api, "GET", path), 404, "webhook_unknown")


def test_client_that_was_disabled_gets_nothing_more(
    service: Service, operator: Api, clinic: System, patient: Patient
) -> None:
    operator.call("PUT", f"/v1/clients/{clinic.client_id}/state", json={"disabled": True})
    time.sleep(5.1)  # what is remembered of endpoints
    patient.permit(clinic.member_id)
    time.sleep(2)
    assert clinic.receiver.got == []


def test_grantee_and_reader_get_a_notice_and_the_patient_sees_who_acknowledged(
    service: Service, clinic: System, other_clinic: Provider, patient: Patient
) -> None:
    consent = patient.permit(clinic.member_id)
    clinic.read(patient.record_id)
    patient.wallet.revoke(consent)
    (got,) = clinic.receiver.wait("consent.revoked")
    notice = got.json["data"]["notice_id"]

    def seen() -> dict[str, Any]:
        (only,) = notices(patient.api, subject=patient.subject, consent=consent)
        return only

    deadline = time.monotonic() + 60
    while seen()["state"] != "delivered":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (seen()["notice_id"], seen()["member_id"]) == (notice, clinic.member_id)
    assert seen()["acknowledge_by"] == got.json["data"]["acknowledge_by"]

    path = f"/v1/notices-of-revocation/{notice}/ack"
    assert_problem(raw(other_clinic.api, "POST", path), 404, "not_found")
    first = clinic.api.post(path)
    assert first["state"] == "acknowledged"
    assert clinic.api.post(path) == first
    assert seen() == first
    types = [entry["type"] for entry in patient.accesses()]
    assert types.count("consent.revocation_acknowledged") == 1
    assert notice in [each["notice_id"] for each in notices(clinic.api)]
    assert notice not in [each["notice_id"] for each in notices(other_clinic.api)]


def test_notice_past_its_deadline_is_late(service: Service, clinic: System, patient: Patient) -> None:
    patient.wallet.revoke(patient.permit(clinic.member_id))
    (got,) = clinic.receiver.wait("consent.revoked")
    database = service.world.stores.database
    database["revocation_notices"].update_one(
        {"_id": got.json["data"]["notice_id"]}, {"$set": {"acknowledge_by": int(time.time()) - 1}}
    )
    (late,) = notices(patient.api, subject=patient.subject)
    assert late["state"] == "late"
    deadline = time.monotonic() + 60
    while "assent_revocation_acknowledgements_late 1.0" not in service.http.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    acknowledged = clinic.api.post(f"/v1/notices-of-revocation/{late['notice_id']}/ack")
    assert acknowledged["state"] == "acknowledged_late"


def test_stop_of_everything_gives_a_notice_for_each_permit_and_a_superseding_grant_for_the_one_it_ends(
    clinic: System, patient: Patient
) -> None:
    first = patient.permit(clinic.member_id)
    second = patient.permit(clinic.member_id, supersedes=first)
    clinic.receiver.wait("consent.revoked", 1)
    third = patient.permit(clinic.member_id, purposes=["HPAYMT"])
    api = patient.api
    typed = api.post("/v1/revocations/draft", {"subject": patient.subject})["typed_data"]
    signed = patient.wallet.sign_typed(typed)
    body = {"subject": patient.subject, "epoch": typed["message"]["epoch"], "signature": signed}
    api.post("/v1/revocations", body)
    told = [each.json["data"]["consent_id"] for each in clinic.receiver.wait("consent.revoked", 3)]
    assert sorted(told) == sorted([first, second, third])


def test_notices_of_a_patient_one_does_not_act_for_are_not_found(
    patient: Patient, new_patient: Callable[[], Patient]
) -> None:
    answer = raw(new_patient().api, "GET", "/v1/notices-of-revocation", params={"subject": patient.subject})
    assert_problem(answer, 404, "not_found")
    with pytest.raises(Refused):
        notices(patient.api)  # a patient acts for no organisation


def test_parties_are_reminded_before_a_permit_ends_unless_it_ended_before(
    service: Service, clinic: System, portal: System, patient: Patient
) -> None:
    ends, revoked = (patient.permit(clinic.member_id, not_after=in_days(days)) for days in (20, 21))
    clinic.receiver.wait("consent.granted", 2)
    patient.end(revoked)
    reminders = service.world.stores.database["reminders"]
    mine = {"subject": patient.subject.removeprefix("0x"), "topic": "consent.expiring"}
    assert sorted(each["days"] for each in reminders.find(mine)) == [7, 7]  # 30 days before is over
    reminders.update_many(mine, {"$set": {"due_at": 1}})
    for system in (clinic, portal):
        (told,) = system.receiver.wait("consent.expiring", subject=patient.subject)
        assert told.json["data"]["consent_id"] == ends
        assert "ends_at" in told.json["data"]
    deadline = time.monotonic() + 60
    while list(reminders.find(mine)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(clinic.receiver.of("consent.expiring")) == 1


def test_events_told_again_after_a_crash_before_the_mark_give_no_second_message(
    service: Service, clinic: System, portal: System, patient: Patient
) -> None:
    consent = patient.permit(clinic.member_id)
    clinic.read(patient.record_id)
    patient.wallet.revoke(consent)
    clinic.receiver.wait("consent.revoked")
    portal.receiver.wait("consent.revoked", subject=patient.subject)
    first = next(entry["index"] for entry in reversed(patient.accesses()))
    cursor = service.world.stores.database["notice_cursor"]
    cursor.update_one({"_id": "log"}, {"$set": {"index": first}})
    end = service.world.services.audit.state.size
    deadline = time.monotonic() + 60
    while (cursor.find_one({"_id": "log"}) or {})["index"] < end:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    later = patient.permit(clinic.member_id)
    assert clinic.receiver.wait("consent.granted", 2)[1].json["data"]["consent_id"] == later
    portal.receiver.wait("consent.granted", 2, subject=patient.subject)
    for system in (clinic, portal):
        about = [each for each in system.receiver.got if each.json["data"]["subject"] == patient.subject]
        told = [(each.id, each.json["type"]) for each in about]
        assert len(told) == len(set(told))
        kinds = [kind for _, kind in told]
        assert (kinds.count("consent.granted"), kinds.count("consent.revoked")) == (2, 1)
    assert len(portal.receiver.of("access.recorded", patient.subject)) == 1
