"""Requests lapse, one is open per requester and purpose, and a patient may block a requester unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from backend.consent.requests import LAPSE_SECONDS
from backend.demo.actors import Provider, Refused
from tests.integration.api.world import Patient, Service, assert_problem, in_days, raw


def ask(provider: Provider, patient: Patient, *purposes: str) -> dict[str, Any]:
    reference = provider.find(patient.record_number)
    return provider.ask(
        reference, purposes=list(purposes or ["TREAT"]), categories=["laboratory"], not_after=in_days(90)
    )


def shown(patient: Patient) -> list[str]:
    return [request["request_id"] for request in patient.api.get("/v1/consent-requests")]


@contextmanager
def later(service: Service, seconds: int) -> Iterator[None]:
    requests = service.world.services.requests
    clock = requests._clock
    requests._clock = lambda: clock() + seconds
    try:
        yield
    finally:
        requests._clock = clock


@pytest.fixture
def patient(new_patient: Callable[[], Patient]) -> Patient:
    return new_patient()


def test_request_that_shares_one_purpose_with_an_open_one_is_refused(
    clinic: Provider, other_clinic: Provider, patient: Patient
) -> None:
    ask(clinic, patient, "TREAT", "HPAYMT")
    with pytest.raises(Refused) as refusal:
        ask(clinic, patient, "TREAT")
    assert (refusal.value.status, refusal.value.code) == (409, "request_open")
    ask(clinic, patient, "HRESCH")  # another purpose
    ask(other_clinic, patient, "TREAT")  # another requester


def test_request_answered_frees_its_purpose(clinic: Provider, patient: Patient) -> None:
    patient.wallet.answer(ask(clinic, patient)["request_id"], "refuse")
    ask(clinic, patient)


def test_request_lapses_after_thirty_days_and_frees_its_purpose(
    service: Service, clinic: Provider, patient: Patient
) -> None:
    first = ask(clinic, patient)["request_id"]
    with later(service, LAPSE_SECONDS - 60):
        assert clinic.api.get(f"/v1/consent-requests/{first}")["state"] == "requested"
    with later(service, LAPSE_SECONDS):
        assert clinic.api.get(f"/v1/consent-requests/{first}")["state"] == "lapsed"
        assert patient.api.get(f"/v1/consent-requests/{first}")["state"] == "lapsed"
        assert ask(clinic, patient)["state"] == "requested"


def test_blocked_requester_sees_what_it_would_see_of_a_patient_who_does_not_answer(
    clinic: Provider, other_clinic: Provider, patient: Patient
) -> None:
    waiting = ask(clinic, patient)["request_id"]
    (blocked,) = patient.api.call(
        "PUT", f"/v1/blocked-requesters/{clinic.member_id}", params={"subject": patient.subject}
    ).json()
    assert blocked["member_id"] == clinic.member_id
    request, usual = ask(clinic, patient, "HPAYMT"), ask(other_clinic, patient, "HPAYMT")
    volatile = {"request_id", "requester", "created_at", "lapses_at"}
    assert {k: v for k, v in request.items() if k not in volatile} == {
        k: v for k, v in usual.items() if k not in volatile
    }
    assert clinic.api.get(f"/v1/consent-requests/{request['request_id']}")["state"] == "requested"
    assert shown(patient) == [usual["request_id"]]
    newest = next(entry for entry in patient.accesses() if entry["organisation"] == clinic.member_id)
    assert newest["reasons"] == ["requester_blocked"]

    path = f"/v1/blocked-requesters/{clinic.member_id}"
    assert patient.api.call("DELETE", path, params={"subject": patient.subject}).json() == []
    assert set(shown(patient)) == {waiting, request["request_id"], usual["request_id"]}
    types = [entry["type"] for entry in patient.accesses()]
    assert (types.count("requester.blocked"), types.count("requester.unblocked")) == (1, 1)


def test_block_twice_is_one_block(clinic: Provider, patient: Patient) -> None:
    for _ in range(2):
        patient.api.call(
            "PUT", f"/v1/blocked-requesters/{clinic.member_id}", params={"subject": patient.subject}
        )
    assert [entry["type"] for entry in patient.accesses()].count("requester.blocked") == 1


def test_block_for_a_patient_one_does_not_act_for_is_not_found(
    clinic: Provider, patient: Patient, new_patient: Callable[[], Patient]
) -> None:
    answer = raw(
        new_patient().api,
        "PUT",
        f"/v1/blocked-requesters/{clinic.member_id}",
        params={"subject": patient.subject},
    )
    assert_problem(answer, 404, "not_found")
