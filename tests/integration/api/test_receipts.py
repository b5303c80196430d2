"""Receipts over the API: who gets one, what it says at each point, and that it verifies offline."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from backend.interop.receipts.signing import verify
from tests.integration.api.world import Patient, Service, assert_problem, in_days, raw, staff


def get(api: Api, patient: Patient, consent_id: str, form: str = "receipt") -> httpx.Response:
    return raw(api, "GET", f"/v1/consents/{consent_id}/{form}", params={"subject": patient.subject})


def checked(service: Service, response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/ld+json"
    verify(response.json(), service.http.get("/.well-known/document-jwks.json").json())
    found: dict[str, Any] = response.json()
    return found


def states(record: dict[str, Any]) -> list[str]:
    return [event["dpv:hasConsentStatus"]["@id"] for event in record["dct:hasPart"]]


def withdrawn(service: Service, patient: Patient, consent_id: str) -> dict[str, Any]:
    """The record of a withdrawn consent; at once withdrawn, and some time later with the chain's evidence."""
    deadline = time.monotonic() + 60
    while True:
        record: dict[str, Any] = checked(service, get(patient.api, patient, consent_id))["dct:subject"]
        assert states(record) == ["dpv:ConsentGiven", "dpv:ConsentWithdrawn"]
        if "assent:evidence" in record["dct:hasPart"][1]:
            return record
        assert time.monotonic() < deadline, "the revocation did not get to the chain"
        time.sleep(0.05)


def test_patient_and_grantee_get_a_receipt_and_strangers_do_not(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider, other_clinic: Provider
) -> None:
    patient = new_patient()
    consent_id = patient.permit(clinic.member_id)
    own = checked(service, get(patient.api, patient, consent_id))
    theirs = checked(service, get(clinic.api, patient, consent_id))
    assert own["dct:subject"] == theirs["dct:subject"]
    assert own["dct:identifier"] != theirs["dct:identifier"]
    record = own["dct:subject"]
    assert record["dct:identifier"] == consent_id
    assert {"Lakeside Clinic", "hospital"} == {party["dpv:hasName"] for party in record["dpv:hasEntity"]}
    assert_problem(get(other_clinic.api, patient, consent_id), 404, "not_found")
    assert_problem(get(clinic.api, patient, consent_id, "record"), 404, "not_found")
    whole = checked(service, get(patient.api, patient, consent_id, "record"))
    assert whole["assent:signer"].lower() == patient.wallet.address.lower()


def test_officer_gets_receipt_and_record_and_the_patient_sees_it(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    consent_id = patient.permit(clinic.member_id)
    officer = staff(service, "receipts-officer", Role.PRIVACY_OFFICER)
    for form in ("receipt", "record"):
        checked(service, get(officer, patient, consent_id, form))
    assert_problem(get(officer, patient, "0x" + "11" * 32), 404, "not_found")
    seen = [entry for entry in patient.accesses() if entry["type"] == "consent.read"]
    assert len(seen) == 2


def test_receipt_follows_the_consent_to_its_end(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    consent_id = patient.permit(clinic.member_id)
    given = checked(service, get(patient.api, patient, consent_id))["dct:subject"]
    assert states(given) == ["dpv:ConsentGiven"]
    evidence = given["dct:hasPart"][0]["assent:evidence"]
    on_chain = service.world.stores.chain.rpc().call(
        "eth_getTransactionReceipt", evidence["assent:transaction"]
    )
    assert int(on_chain["blockNumber"], 16) == evidence["assent:block"]
    patient.wallet.revoke(consent_id)
    withdrawn(service, patient, consent_id)


def test_revoke_all_is_an_end_with_the_time_of_its_block(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    consent_id = patient.permit(clinic.member_id)
    draft = patient.api.post("/v1/revocations/draft", {"subject": patient.subject})
    body = {"subject": patient.subject, "epoch": patient.consents()[0]["message"]["epoch"]}
    signature = patient.wallet.sign_typed(draft["typed_data"])
    patient.api.post("/v1/revocations", {**body, "signature": signature})
    event = withdrawn(service, patient, consent_id)["dct:hasPart"][1]
    number = hex(event["assent:evidence"]["assent:block"])
    block = service.world.stores.chain.rpc().call("eth_getBlockByNumber", number, False)
    made = datetime.fromisoformat(event["dct:date"]["@value"])
    assert made.timestamp() == int(block["timestamp"], 16)


def test_deny_and_refused_request_have_receipts(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    deny = patient.wallet.consent(kind="deny")["consent_id"]
    reference = clinic.find(patient.record_number)
    request = clinic.ask(
        reference,
        purposes=["TREAT"],
        categories=["laboratory"],
        actions=["access"],
        not_after=in_days(30),
        message="To treat you.",
    )
    refusal = patient.wallet.answer(request["request_id"], "refuse")["consent_id"]
    for consent_id in (deny, refusal):
        record = checked(service, get(patient.api, patient, consent_id))["dct:subject"]
        assert states(record) == ["dpv:ConsentRefused"]


def test_consent_signed_by_a_delegate_names_the_delegate(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    delegate = Wallet(service.anyone())
    wish = {
        "subject": patient.subject,
        "delegate": delegate.address,
        "powers": ["grant", "revoke", "read"],
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "not_after": in_days(60),
        "relationship": "daughter",
    }
    draft = patient.api.post("/v1/delegations/draft", wish)
    delegation = patient.wallet.submit("/v1/delegations", draft)
    assert_problem(get(patient.api, patient, delegation["consent_id"]), 422, "receipt_of_delegation")
    delegate.sign_in()
    permit = {
        "subject": patient.subject,
        "kind": "permit",
        "grantee": clinic.member_id,
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "actions": ["access"],
        "not_after": in_days(30),
        "via": [draft["message"]],
    }
    signed = delegate.submit(
        "/v1/consents", delegate.api.post("/v1/consents/draft", permit), via=[draft["message"]]
    )
    for api in (patient.api, delegate.api):
        record = checked(service, get(api, patient, signed["consent_id"], "record"))
        assert record["assent:signer"].lower() == delegate.address.lower()
        assert record["dct:hasPart"][0]["dpv:isImplementedByEntity"]["@id"].endswith(record["assent:signer"])
        assert record["dpv:hasEntity"][2]["dpv:hasName"] == "daughter"
