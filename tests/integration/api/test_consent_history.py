"""Everyone concerned sees where a consent stands on the chain and every change of it; nobody else does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from backend.demo.actors import Provider
from tests.integration.api.world import Patient, Service, assert_problem, raw
from tests.support.process_world import eventually

TIMEOUT_SECONDS = 20


def one(api: Any, patient: Patient, consent_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/v1/consents/{consent_id}", subject=patient.subject)
    return found


def changes(patient: Patient, consent_id: str, *, number: int) -> list[dict[str, Any]]:
    """The history once it has so many changes: a stop reaches the chain behind its answer."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        history: list[dict[str, Any]] = one(patient.api, patient, consent_id)["history"]
        if len(history) >= number:
            return history
        assert time.monotonic() < deadline, history
        time.sleep(0.05)


def test_consent_shows_its_block_its_transaction_and_every_change(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    consent_id = patient.permit(clinic.member_id)
    received, recorded = changes(patient, consent_id, number=2)
    assert (received["change"], received["block"]) == ("received", None)
    assert received["at"] is not None
    assert (recorded["change"], recorded["at"]) == ("recorded", None)
    receipt = service.world.stores.chain.rpc().call("eth_getTransactionReceipt", recorded["transaction"])
    assert int(receipt["blockNumber"], 16) == recorded["block"]

    patient.wallet.revoke(consent_id)
    revoked = changes(patient, consent_id, number=3)[2]
    assert revoked["change"] == "revoked"
    assert revoked["at"] is not None
    assert revoked["block"] > recorded["block"]
    assert revoked["transaction"] != recorded["transaction"]

    listed = next(item for item in patient.consents() if item["consent_id"] == consent_id)
    assert (listed["block"], listed["transaction"]) == (recorded["block"], recorded["transaction"])
    assert listed["received_at"] == received["at"]
    assert one(clinic.api, patient, consent_id) == one(patient.api, patient, consent_id)


def test_revoke_all_is_in_the_history_of_what_it_ended_and_of_nothing_else(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    before = patient.permit(clinic.member_id)
    deny = str(patient.wallet.consent(kind="deny", categories=["notes"])["consent_id"])
    epoch = int(one(patient.api, patient, before)["message"]["epoch"])
    draft = patient.api.post("/v1/revocations/draft", {"subject": patient.subject})
    body = {
        "subject": patient.subject,
        "epoch": epoch,
        "signature": patient.wallet.sign_typed(draft["typed_data"]),
    }
    assert raw(service.anyone(), "POST", "/v1/revocations", json=body).status_code == 200
    ended = changes(patient, before, number=3)[2]
    assert ended["change"] == "revoked_with_all"
    # The history shows a block as soon as the node has it, a draft what the service has taken up.
    chain = service.world.stores.chain
    eventually(lambda: chain.view().head_number >= ended["block"], seconds=TIMEOUT_SECONDS, what="the block")
    after = patient.permit(clinic.member_id)
    for untouched in (deny, after):
        history = one(patient.api, patient, untouched)["history"]
        assert [step["change"] for step in history] == ["received", "recorded"]


def test_history_of_a_consent_given_to_another_looks_like_none(
    patient: Patient, clinic: Provider, other_clinic: Provider
) -> None:
    consent_id = patient.permit(clinic.member_id)
    for wanted in (consent_id, "0x" + "ab" * 32):
        query = {"subject": patient.subject}
        response = raw(other_clinic.api, "GET", f"/v1/consents/{wanted}", params=query)
        assert_problem(response, 404, "not_found")
    patient.wallet.revoke(consent_id)
