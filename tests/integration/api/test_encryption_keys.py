"""Encryption keys: bound by the wallet alone, compared with the chain at each use, withdrawn from receipt."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from backend.adapters.index.public_keys import MongoPublicKeys
from backend.consent.key_terms import AllowMediated
from backend.consent.typed_data import KEYS_NAME, Domain, typed_data
from backend.demo.actors import Api, Provider, Wallet
from backend.erasure.types import Scope
from backend.errors import Conflict, LedgerUnavailable
from backend.keystore import Secret
from backend.maintenance.documents import check_documents
from backend.maintenance.report import Report
from backend.records.key_errors import RecipientKeyLost
from backend.records.recipients import Recipients
from backend.records.sealing import RecipientKey, RecipientPrivateKey
from backend.types import Bytes32, MemberId, RecordId, SubjectId, UnixSeconds
from tests.integration.api.world import Patient, Service, assert_problem, provider, raw
from tests.support.erasing import unconnected


def new_key() -> RecipientKey:
    return RecipientPrivateKey(Secret(secrets.token_bytes(32))).public


def encoded(key: RecipientKey) -> str:
    return base64.urlsafe_b64encode(key.encoded).rstrip(b"=").decode()


@pytest.fixture
def patient(new_patient: Callable[[], Patient]) -> Patient:
    """One for each test: numbers of keys are used once."""
    return new_patient()


@pytest.fixture(scope="module")
def recipients(service: Service) -> Recipients:
    stores = service.world.stores
    return Recipients(
        store=MongoPublicKeys(stores.database),
        subjects=stores.subject_keys,
        members=stores.member_keys,
        withdrawn=service.world.services.patient_keys.withdrawn,
    )


def subject_of(patient: Patient) -> SubjectId:
    return SubjectId(int(patient.subject, 16))


def draft(patient: Patient, key: RecipientKey) -> dict[str, Any]:
    body = {"subject": patient.subject, "public_key": encoded(key)}
    found: dict[str, Any] = patient.api.post("/v1/encryption-keys/draft", body)["typed_data"]
    return found


def signed(key: RecipientKey, data: dict[str, Any], wallet: Wallet) -> dict[str, Any]:
    return {
        "public_key": encoded(key),
        "message": data["message"],
        "signature": wallet.sign_typed(data),
    }


def put(patient: Patient, body: dict[str, Any]) -> httpx.Response:
    return raw(patient.api, "PUT", "/v1/encryption-keys", json=body)


def bind(patient: Patient, key: RecipientKey) -> dict[str, Any]:
    response = put(patient, signed(key, draft(patient, key), patient.wallet))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def withdrawal(patient: Patient) -> dict[str, Any]:
    data = patient.api.post("/v1/encryption-keys/withdrawals/draft", {"subject": patient.subject})
    data = data["typed_data"]
    return {"message": data["message"], "signature": patient.wallet.sign_typed(data)}


def withdraw(service: Service, body: dict[str, Any]) -> httpx.Response:
    """Anybody brings it."""
    return raw(service.anyone(), "POST", "/v1/encryption-keys/withdrawals", json=body)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


# --- binding


def test_key_bound_by_the_wallet_is_the_one_to_seal_to_and_logged(
    patient: Patient, recipients: Recipients
) -> None:
    assert recipients.of_subject(subject_of(patient)) is None
    key = new_key()
    state = bind(patient, key)
    assert (state["state"], state["key_id"], state["sequence"]) == ("bound", "0x" + key.id.hex(), 1)
    assert patient.api.get("/v1/encryption-keys", subject=patient.subject) == state
    found = recipients.of_subject(subject_of(patient))
    assert found is not None
    assert found.encoded == key.encoded
    eventually(lambda: "encryption_key.bound" in [entry["type"] for entry in patient.accesses()])
    second = new_key()
    assert bind(patient, second)["sequence"] == 2
    found = recipients.of_subject(subject_of(patient))
    assert found is not None
    assert found.id == second.id


def test_binding_sent_again_gives_the_same_answer_and_a_replaced_one_does_not_come_back(
    patient: Patient, recipients: Recipients
) -> None:
    first, second = new_key(), new_key()
    body = signed(first, draft(patient, first), patient.wallet)
    assert put(patient, body).json() == put(patient, body).json()
    stale = signed(new_key(), draft(patient, first), patient.wallet)
    other = draft(patient, second)
    bind(patient, second)
    assert put(patient, body).json()["key_id"] == "0x" + second.id.hex()
    assert_problem(put(patient, stale), 422, "public_key_differs")
    late = signed(second, {**other, "message": {**other["message"], "sequence": 2}}, patient.wallet)
    late["message"] = {**late["message"], "submitBy": late["message"]["submitBy"] + 1}
    assert_problem(put(patient, late), 422, "key_number_not_next")
    found = recipients.of_subject(subject_of(patient))
    assert found is not None
    assert found.id == second.id


def test_key_of_somebody_else_under_a_good_signature_is_refused(patient: Patient) -> None:
    mine, theirs = new_key(), new_key()
    body = signed(mine, draft(patient, mine), patient.wallet)
    assert_problem(put(patient, {**body, "public_key": encoded(theirs)}), 422, "public_key_differs")
    changed = {**body["message"], "keyHash": "0x" + theirs.id.hex()}
    forged = {**body, "public_key": encoded(theirs), "message": changed}
    assert_problem(put(patient, forged), 422, "wrong_signer")
    assert patient.api.get("/v1/encryption-keys", subject=patient.subject)["state"] == "none"


def test_key_signed_by_another_wallet_or_of_another_patient_is_refused(
    patient: Patient, new_patient: Callable[[], Patient], stranger: Wallet
) -> None:
    key = new_key()
    data = draft(patient, key)
    assert_problem(put(patient, signed(key, data, stranger)), 422, "wrong_signer")
    other = new_patient()
    assert_problem(put(other, signed(key, data, patient.wallet)), 404, "not_found")
    body = {"subject": patient.subject, "public_key": encoded(key)}
    assert_problem(raw(other.api, "POST", "/v1/encryption-keys/draft", json=body), 404, "not_found")


def test_key_bound_too_late_is_refused(patient: Patient) -> None:
    key = new_key()
    data = draft(patient, key)
    data["message"]["submitBy"] = 1_000
    assert_problem(put(patient, signed(key, data, patient.wallet)), 422, "key_binding_too_late")


@pytest.mark.parametrize("text", ["", "AAAA", "A" * 1621, "A" * 1624, "*" * 1622, "é" * 1622])
def test_public_key_of_another_form_is_refused(patient: Patient, text: str) -> None:
    body = {"subject": patient.subject, "public_key": text}
    assert_problem(
        raw(patient.api, "POST", "/v1/encryption-keys/draft", json=body), 422, "public_key_malformed"
    )


@pytest.mark.parametrize("damage", ["changed", "deleted"])
def test_key_that_the_index_lost_or_changed_is_damage_and_not_no_key(
    service: Service, patient: Patient, recipients: Recipients, damage: str
) -> None:
    key = new_key()
    body = signed(key, draft(patient, key), patient.wallet)
    put(patient, body)
    rows = service.world.stores.database["recipient_keys"]
    row = f"subject/{subject_of(patient):024x}/{key.id.hex()}"
    if damage == "changed":
        rows.update_one({"_id": row}, {"$set": {"key": new_key().encoded}})
        report = Report()
        check_documents(service.world.stores, report)
        assert [(each.code, each.where) for each in report.damage] == [
            ("document_damaged", f"recipient_keys {row}")
        ]
    else:
        rows.delete_one({"_id": row})
    with pytest.raises(RecipientKeyLost):
        recipients.of_subject(subject_of(patient))
    assert put(patient, body).status_code == 200
    found = recipients.of_subject(subject_of(patient))
    assert found is not None
    assert found.id == key.id


# --- withdrawing


def test_withdrawal_counts_from_receipt_and_reaches_the_chain_later(
    service: Service, patient: Patient, recipients: Recipients, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind(patient, new_key())
    body = withdrawal(patient)
    ledger = service.world.stores.subject_keys

    def unreachable(*_: object) -> None:
        raise LedgerUnavailable

    with monkeypatch.context() as away:
        away.setattr(type(ledger), "withdraw", unreachable)
        assert withdraw(service, body).json() == {"state": "in_force"}
        assert ledger.key_of(subject_of(patient)) is not None
        assert recipients.of_subject(subject_of(patient)) is None
        assert patient.api.get("/v1/encryption-keys", subject=patient.subject)["state"] == "none"
        service.world.services.patient_keys.restore_restrictions()  # as a start does
        assert recipients.of_subject(subject_of(patient)) is None
    eventually(lambda: ledger.key_of(subject_of(patient)) is None)
    assert recipients.of_subject(subject_of(patient)) is None
    assert withdraw(service, body).status_code == 200
    eventually(lambda: "encryption_key.withdrawn" in [entry["type"] for entry in patient.accesses()])


def test_withdrawal_takes_a_signed_binding_along(service: Service, patient: Patient) -> None:
    key = new_key()
    pending = signed(key, draft(patient, key), patient.wallet)
    assert withdraw(service, withdrawal(patient)).status_code == 200
    ledger = service.world.stores.subject_keys
    eventually(lambda: ledger.last_number(subject_of(patient)) == 1)
    assert_problem(put(patient, pending), 422, "key_number_not_next")
    assert bind(patient, key)["sequence"] == 2


def test_withdrawal_that_is_false_or_of_numbers_to_come_changes_nothing(
    service: Service, patient: Patient, recipients: Recipients, stranger: Wallet
) -> None:
    bind(patient, new_key())
    path, body = "/v1/encryption-keys/withdrawals/draft", {"subject": patient.subject}
    data = patient.api.post(path, body)["typed_data"]
    forged = {"message": data["message"], "signature": stranger.sign_typed(data)}
    assert_problem(withdraw(service, forged), 422, "wrong_signer")
    data["message"]["sequence"] = 9
    ahead = {"message": data["message"], "signature": patient.wallet.sign_typed(data)}
    assert_problem(withdraw(service, ahead), 422, "key_number_not_next")
    assert recipients.of_subject(subject_of(patient)) is not None


def test_withdrawal_that_cannot_be_checked_is_kept_and_dropped_when_it_is_false(
    service: Service,
    patient: Patient,
    recipients: Recipients,
    stranger: Wallet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bind(patient, new_key())
    path, body = "/v1/encryption-keys/withdrawals/draft", {"subject": patient.subject}
    data = patient.api.post(path, body)["typed_data"]
    forged = {"message": data["message"], "signature": stranger.sign_typed(data)}
    ledger = service.world.stores.subject_keys

    def unreachable(*_: object) -> None:
        raise LedgerUnavailable

    with monkeypatch.context() as away:
        for method in ("withdraw", "last_number"):
            away.setattr(type(ledger), method, unreachable)
        assert withdraw(service, forged).status_code == 200
        assert recipients.of_subject(subject_of(patient)) is None
    eventually(lambda: recipients.of_subject(subject_of(patient)) is not None)
    good = withdrawal(patient)
    assert withdraw(service, good).status_code == 200
    assert recipients.of_subject(subject_of(patient)) is None


# --- mediated reading


def test_mediated_reading_needs_the_patients_signature_for_the_key_that_counts(
    service: Service, patient: Patient, stranger: Wallet
) -> None:
    bind(patient, new_key())
    stores = service.world.stores
    domain = Domain(stores.chain.chain_id, stores.deployment.address("KeyRegistry"), KEYS_NAME)
    command = AllowMediated(
        subject_of(patient), Bytes32(b"\x05" * 32), 1, UnixSeconds(int(time.time()) + 3600)
    )
    data = typed_data(command, domain)
    keys = service.world.services.patient_keys
    keys.require_mediated(command, bytes.fromhex(patient.wallet.sign_typed(data)[2:]))
    with pytest.raises(Conflict, match="SignatureInvalid"):
        keys.require_mediated(command, bytes.fromhex(stranger.sign_typed(data)[2:]))
    bind(patient, new_key())
    with pytest.raises(Conflict, match="KeyNotBound"):
        keys.require_mediated(command, bytes.fromhex(patient.wallet.sign_typed(data)[2:]))


# --- organisations


def member_put(api: Api, member: str, key: RecipientKey) -> httpx.Response:
    body = {"public_key": encoded(key)}
    return raw(api, "PUT", f"/v1/members/{member}/encryption-key", json=body)


def test_organisation_sets_its_own_key_once_and_only_an_operator_replaces_it(
    service: Service, operator: Api, recipients: Recipients
) -> None:
    surgery = provider(service, operator, "Surgery with a key")
    member = MemberId(bytes.fromhex(surgery.member_id[2:]))
    assert recipients.of_member(member) is None
    first, second = new_key(), new_key()
    response = member_put(surgery.api, surgery.member_id, first)
    assert (response.status_code, response.json()["state"]) == (200, "bound"), response.text
    before = service.world.stores.participants.member(member)
    assert member_put(surgery.api, surgery.member_id, first).json() == response.json()
    assert_problem(member_put(surgery.api, surgery.member_id, second), 409, "member_key_differs")
    found = recipients.of_member(member)
    assert found is not None
    assert found.id == first.id
    replaced = member_put(operator, surgery.member_id, second)
    assert replaced.json()["key_id"] == "0x" + second.id.hex()
    found = recipients.of_member(member)
    assert found is not None
    assert found.id == second.id
    assert service.world.stores.participants.member(member) == before  # roles, account, expiry
    state = surgery.api.get(f"/v1/members/{surgery.member_id}/encryption-key")
    assert (state["state"], state["key_id"]) == ("bound", "0x" + second.id.hex())
    operator.post(f"/v1/members/{surgery.member_id}/suspend", {})
    eventually(lambda: recipients.of_member(member) is None)


def test_key_of_another_organisation_looks_like_what_is_not_there(
    clinic: Provider, other_clinic: Provider, patient: Patient, operator: Api
) -> None:
    for api in (other_clinic.api, patient.api):
        assert_problem(member_put(api, clinic.member_id, new_key()), 404, "not_found")
        shown = raw(api, "GET", f"/v1/members/{clinic.member_id}/encryption-key")
        assert_problem(shown, 404, "not_found")
    assert_problem(member_put(operator, "0x" + "0e" * 32, new_key()), 404, "member_unknown")


# --- erasure


def test_erasure_of_a_person_finds_the_keys_and_what_the_outbox_keeps_of_them(
    service: Service, patient: Patient
) -> None:
    bind(patient, new_key())
    bind(patient, new_key())
    withdraw(service, withdrawal(patient))
    database, scope = service.world.stores.database, Scope(subject_of(patient))
    acts = {"data.subject": scope.subject_hex, "over": True}
    kinds = {"$in": ["key_binding", "key_withdrawal"]}
    eventually(lambda: len(list(database["acts"].find({**acts, "kind": kinds}))) == 3)
    found = unconnected(database, service.world.stores.keys)
    classes = {each.name: each for each in found}
    assert classes["encryption_keys"].count(scope) == 2
    part = Scope(scope.subject, (RecordId(bytes.fromhex(patient.record_id)),))
    assert classes["encryption_keys"].count(part) == 0
    for name in ("encryption_keys", "acts", "revocations"):
        classes[name].erase(scope)
    assert not list(database["recipient_keys"].find({"holder": f"subject/{scope.subject_hex}"}))
    assert not list(database["acts"].find({**acts, "kind": kinds}))
