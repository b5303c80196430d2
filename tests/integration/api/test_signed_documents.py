"""Signed grants and stops that are wrong, late, foreign or repeated: refused, and nothing changes."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from eth_account.messages import encode_typed_data

from backend.consent.summary import with_summary
from backend.consent.terms import Grant
from backend.consent.terms_json import from_json, to_json
from backend.demo.actors import Provider, Wallet
from backend.types import SubjectId
from tests.integration.api.world import (
    Patient,
    Service,
    assert_problem,
    assert_refused,
    high_s,
    permit_wish,
    raw,
)

Draft = dict[str, Any]


@pytest.fixture
def draft(patient: Patient, clinic: Provider) -> Draft:
    """A permit for the clinic, not signed yet."""
    found: Draft = patient.api.post("/v1/consents/draft", permit_wish(patient, clinic))
    return found


def _signature(wallet: Wallet, typed_data: dict[str, Any]) -> bytes:
    return bytes(wallet.account.sign_message(encode_typed_data(full_message=typed_data)).signature)


def _submit(service: Service, message: Any, signature: bytes, **more: Any) -> httpx.Response:
    body = {"message": message, "signature": "0x" + signature.hex(), **more}
    return raw(service.anyone(), "POST", "/v1/consents", json=body)


def _changed(draft: Draft, **members: Any) -> Draft:
    """The draft with other members of the message, in the typed data as well."""
    changed = copy.deepcopy(draft)
    changed["message"].update(members)
    changed["typed_data"]["message"].update(members)
    return changed


def test_grant_signed_by_another_wallet_isassert_refused(
    service: Service, patient: Patient, draft: Draft, stranger: Wallet
) -> None:
    signature = _signature(stranger, draft["typed_data"])
    assert_refused(
        service, patient, lambda: _submit(service, draft["message"], signature), 422, "wrong_signer"
    )


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("chainId", 1),
        ("verifyingContract", "0x" + "11" * 20),
        ("name", "Assent Research"),
        ("version", "2"),
    ],
)
def test_grant_signed_for_another_chain_or_contract_isassert_refused(
    service: Service, patient: Patient, draft: Draft, member: str, value: Any
) -> None:
    elsewhere = copy.deepcopy(draft["typed_data"])
    elsewhere["domain"][member] = value
    signature = _signature(patient.wallet, elsewhere)
    assert_refused(
        service, patient, lambda: _submit(service, draft["message"], signature), 422, "wrong_signer"
    )


def test_grant_with_a_high_s_signature_isassert_refused(
    service: Service, patient: Patient, draft: Draft
) -> None:
    signature = high_s(_signature(patient.wallet, draft["typed_data"]))
    assert_refused(
        service, patient, lambda: _submit(service, draft["message"], signature), 422, "signature_invalid"
    )


@pytest.mark.parametrize("signature", [b"\0", bytes(65), b"\xff" * 65, bytes(4096)], ids=len)
def test_grant_with_bytes_that_are_no_signature_isassert_refused(
    service: Service, patient: Patient, draft: Draft, signature: bytes
) -> None:
    assert_refused(
        service, patient, lambda: _submit(service, draft["message"], signature), 422, "signature_invalid"
    )


def test_grant_after_its_deadline_isassert_refused(service: Service, patient: Patient, draft: Draft) -> None:
    late = _changed(draft, submitBy=int(time.time()) - 1)
    signature = _signature(patient.wallet, late["typed_data"])
    assert_refused(
        service, patient, lambda: _submit(service, late["message"], signature), 409, "submitted_too_late"
    )


def test_grant_of_an_epoch_that_ended_isassert_refused(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    wish = {"subject": patient.subject, "kind": "deny"}
    old: Draft = patient.api.post("/v1/consents/draft", wish)
    stop = patient.api.post("/v1/revocations/draft", {"subject": patient.subject})
    epoch = int(stop["typed_data"]["message"]["epoch"])
    patient.api.post(
        "/v1/revocations",
        {
            "subject": patient.subject,
            "epoch": epoch,
            "signature": patient.wallet.sign_typed(stop["typed_data"]),
        },
    )
    deadline = time.monotonic() + 60
    while patient.api.post("/v1/consents/draft", wish)["message"]["epoch"] == epoch:
        assert time.monotonic() < deadline, "the stop never came to the chain"
        time.sleep(0.05)
    signature = _signature(patient.wallet, old["typed_data"])
    assert_refused(service, patient, lambda: _submit(service, old["message"], signature), 409, "epoch_ended")


def test_grant_of_an_epoch_to_come_isassert_refused(service: Service, patient: Patient, draft: Draft) -> None:
    ahead = _changed(draft, epoch=draft["message"]["epoch"] + 1)
    signature = _signature(patient.wallet, ahead["typed_data"])
    assert_refused(
        service, patient, lambda: _submit(service, ahead["message"], signature), 409, "epoch_ended"
    )


def test_grant_for_a_subject_nobody_opened_isassert_refused(
    service: Service, patient: Patient, draft: Draft
) -> None:
    tables = service.world.services.tables
    other = replace(from_json(Grant, draft["message"]), subject=SubjectId(2**90 + 7))
    absent = _changed(draft, **to_json(with_summary(other, tables)))
    signature = _signature(patient.wallet, absent["typed_data"])
    assert_refused(
        service, patient, lambda: _submit(service, absent["message"], signature), 422, "invalid_terms"
    )


def test_grant_with_another_summary_than_its_terms_isassert_refused(
    service: Service, patient: Patient, draft: Draft
) -> None:
    terms = {**draft["message"]["terms"], "summary": "Nobody may read anything."}
    other = _changed(draft, terms=terms)
    signature = _signature(patient.wallet, other["typed_data"])
    assert_refused(
        service, patient, lambda: _submit(service, other["message"], signature), 422, "summary_mismatch"
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purposes": str(2**62)}, "unknown_bit"),
        ({"categories": str(2**40)}, "unknown_bit"),
        ({"sensitivities": 2**30}, "unknown_bit"),
        ({"actions": 2**12}, "unknown_bit"),
        ({"language": "xx"}, "unknown_code"),
        ({"summary": "\ud800"}, "invalid_input"),
        ({"summary": "\x00"}, None),
        ({"maxUses": -1}, "invalid_terms"),
        ({"maxUses": 1e400}, None),
        ({"maxUses": True}, "invalid_terms"),
        ({"salt": "0x"}, "invalid_terms"),
        ({"rules": [{}]}, "invalid_terms"),
        ({"rules": "many"}, "invalid_terms"),
        ({"research": None}, "invalid_terms"),
        ({"unheard": 1}, "invalid_terms"),
        ({"\ud800": 1}, "invalid_input"),
    ],
    ids=repr,
)
def test_grant_with_members_that_mean_nothing_isassert_refused(
    service: Service, patient: Patient, draft: Draft, changes: dict[str, Any], code: str | None
) -> None:
    message = {**draft["message"], "terms": {**draft["message"]["terms"], **changes}}
    response = _submit_text(service, message)
    assert response.status_code in (400, 422), response.text
    assert_problem(response, response.status_code, code or response.json()["code"])


def _submit_text(service: Service, message: Any) -> httpx.Response:
    """As a hostile client writes it: lone surrogates escaped, infinities as they are."""
    content = json.dumps({"message": message, "signature": "0x" + "11" * 65})
    headers = {"Content-Type": "application/json"}
    return raw(service.anyone(), "POST", "/v1/consents", content=content, headers=headers)


@pytest.mark.parametrize("missing", ["terms", "submitBy", "subject", "epoch"])
def test_grant_without_a_member_is_refused_and_the_member_named(
    service: Service, draft: Draft, missing: str
) -> None:
    message = {name: value for name, value in draft["message"].items() if name != missing}
    problem = assert_problem(_submit(service, message, bytes(65)), 422, "invalid_terms")
    assert problem["field"] == missing


def test_grant_submitted_twice_gives_the_same_answer_and_one_entry(
    service: Service, patient: Patient, draft: Draft
) -> None:
    signature = _signature(patient.wallet, draft["typed_data"])
    first = _submit(service, draft["message"], signature)
    again = _submit(service, draft["message"], signature)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    consent = first.json()["consent_id"]
    deadline = time.monotonic() + 60
    while not [entry for entry in patient.accesses() if consent in entry["consents"]]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    entries = [entry for entry in patient.accesses() if consent in entry["consents"]]
    assert [entry["type"] for entry in entries] == ["consent.granted"]
    assert [item["consent_id"] for item in patient.consents()].count(consent) == 1
    patient.wallet.revoke(consent)


def test_draft_of_a_permit_for_nobody_is_refused(patient: Patient) -> None:
    wish = {"subject": patient.subject, "kind": "permit", "purposes": ["TREAT"], "categories": ["notes"]}
    problem = assert_problem(raw(patient.api, "POST", "/v1/consents/draft", json=wish), 422, "invalid_input")
    assert problem["field"] == "grantee"
