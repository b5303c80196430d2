"""Stops and claims that are forged or name nothing: refused, and nothing changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from eth_account.messages import encode_typed_data

from backend.demo.actors import Api, Provider, Refused, Wallet
from tests.integration.api.world import Patient, Service, assert_problem, assert_refused, raw


def _signature(wallet: Wallet, typed_data: dict[str, Any]) -> bytes:
    return bytes(wallet.account.sign_message(encode_typed_data(full_message=typed_data)).signature)


def test_desk_ending_a_permit_as_if_it_were_a_guardianship_isassert_refused(
    new_patient: Callable[[], Patient], clinic: Provider, desk: Api
) -> None:
    patient = new_patient()
    consent = patient.permit(clinic.member_id)
    raw(desk, "POST", "/v1/revocations/guardianships", json={"consent_id": consent})
    assert clinic.read(patient.record_id)


def test_stop_signed_by_another_wallet_is_refused_and_the_consent_stays(
    service: Service, patient: Patient, clinic: Provider, stranger: Wallet
) -> None:
    consent = patient.permit(clinic.member_id)
    stop = patient.api.post("/v1/revocations/draft", {"consent_id": consent})
    body = {"consent_id": consent, "signature": "0x" + _signature(stranger, stop["typed_data"]).hex()}
    time.sleep(0.2)  # the entry of the grant is written behind its answer
    assert_refused(
        service,
        patient,
        lambda: raw(service.anyone(), "POST", "/v1/revocations", json=body),
        422,
        "wrong_signer",
    )
    assert clinic.read(patient.record_id)
    patient.wallet.revoke(consent)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"consent_id": "0x" + "77" * 32}, 404, "consent_unknown"),
        ({}, 422, "invalid_input"),
        ({"subject": "0x" + "ab" * 12}, 422, "invalid_input"),
        ({"subject": "0x" + "00" * 12, "epoch": 0}, 422, "invalid_input"),
        ({"consent_id": "0x" + "77" * 32, "document": {}}, 422, "invalid_terms"),
    ],
    ids=str,
)
def test_stop_of_nothing_known_isassert_refused(
    service: Service, body: dict[str, Any], status: int, code: str
) -> None:
    body = {"signature": "0x" + "11" * 65, **body}
    assert_problem(raw(service.anyone(), "POST", "/v1/revocations", json=body), status, code)


def test_stop_of_an_epoch_to_come_isassert_refused(service: Service, patient: Patient) -> None:
    body = {"subject": patient.subject, "epoch": 9, "signature": "0x" + "11" * 65}
    assert_refused(
        service,
        patient,
        lambda: raw(service.anyone(), "POST", "/v1/revocations", json=body),
        422,
        "epoch_ahead",
    )


def test_claim_by_another_account_than_the_signer_isassert_refused(
    service: Service, desk: Api, stranger: Wallet
) -> None:
    issued = desk.post("/v1/enrolments", {"record_number": "CLAIM-1", "name": "Somebody"})
    wallet = Wallet(service.anyone())
    body = {"code": issued["code"], "account": wallet.address}
    draft = wallet.api.post("/v1/enrolments/claims/draft", body)
    forged = {
        **body,
        "message": draft["typed_data"]["message"],
        "signature": stranger.sign_typed(draft["typed_data"]),
    }
    response = raw(service.anyone(), "POST", "/v1/enrolments/claims", json=forged)
    assert_problem(response, 422, "claim_signature_invalid")
    assert wallet.claim(issued["code"]) == issued["subject"]


def test_code_claimed_already_is_refused_to_another_wallet(service: Service, desk: Api) -> None:
    issued = desk.post("/v1/enrolments", {"record_number": "CLAIM-2", "name": "Somebody"})
    Wallet(service.anyone()).claim(issued["code"])
    with pytest.raises(Refused) as refusal:
        Wallet(service.anyone()).claim(issued["code"])
    assert (refusal.value.status, refusal.value.code) == (409, "enrolment_already_claimed")


@pytest.mark.parametrize("code", ["", "AAAA", "A" * 64, "../../..", "\x00" * 24, "é" * 24])
def test_code_of_another_form_isassert_refused(service: Service, code: str) -> None:
    body = {"code": code, "account": Wallet(service.anyone()).address}
    response = raw(service.anyone(), "POST", "/v1/enrolments/claims/draft", json=body)
    assert_problem(response, 422, "enrolment_code_malformed")
