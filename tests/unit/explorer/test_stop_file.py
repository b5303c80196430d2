"""Signed stops as people hold them: files, bodies, sheets typed or scanned; and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.consent.errors import InvalidTerms
from backend.consent.revocations import Revocation
from backend.consent.terms import Grant, Revoke, RevokeAll
from backend.consent.terms_json import to_json
from backend.consent.typed_data import Domain, consent_id, typed_data
from backend.errors import InvalidInput
from backend.explorer.errors import NotAStop, StopUnreadable
from backend.explorer.stop_file import HeldStop, read_stop
from backend.types import Address, ConsentId, SubjectId
from tests.support.ledger_world import grant as example_grant

SIGNATURE = bytes(range(65))
SIGNED = "0x" + SIGNATURE.hex()
CONSENT = ConsentId(b"\xc1" * 32)
SUBJECT = SubjectId(0xA1B2C3)
CONTRACT = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
DOMAIN = Domain(1337, CONTRACT)
ALL = {"subject": f"0x{SUBJECT:024x}", "epoch": 3, "signature": SIGNED}
ONE = {"consent_id": "0x" + CONSENT.hex(), "signature": SIGNED}


def test_saved_sheet_and_body_of_the_api_are_read() -> None:
    assert read_stop(json.dumps(ALL)) == HeldStop(Revocation(SIGNATURE, subject=SUBJECT, epoch=3), None, None)
    assert read_stop(json.dumps(ONE)) == HeldStop(Revocation(SIGNATURE, CONSENT), None, None)


def test_chain_and_contract_are_read_where_they_are_named() -> None:
    found = read_stop(json.dumps({**ALL, "chain_id": 1337, "contract": CONTRACT.lower()}))
    assert (found.chain_id, found.contract) == (1337, CONTRACT)


@pytest.mark.parametrize("command", [Revoke(CONSENT), RevokeAll(SUBJECT, 3)], ids=["one", "all"])
def test_signed_typed_data_is_read(command: Any) -> None:
    found = read_stop(json.dumps({"typed_data": typed_data(command, DOMAIN), "signature": SIGNED}))
    assert (found.chain_id, found.contract) == (1337, CONTRACT)
    assert found.stop.signature == SIGNATURE
    assert (found.stop.consent, found.stop.subject, found.stop.epoch) == (
        (CONSENT, None, None) if isinstance(command, Revoke) else (None, SUBJECT, 3)
    )


def sheet(*lines: str) -> str:
    head = "Stop everything\nThis sheet ends every permission that I gave to use my health records.\n"
    return (
        head
        + "\n".join(lines)
        + "\nsend to\nPOST https://hospital.example/v1/revocations\nsigned\n12 Nov 2026"
    )


@pytest.mark.parametrize(
    "signature", [SIGNED, f"{SIGNED[:60]}\n{SIGNED[60:100]} {SIGNED[100:]}"], ids=["whole", "in lines"]
)
def test_printed_sheet_is_read(signature: str) -> None:
    lines = (
        "account",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "Subject",
        str(ALL["subject"])[:14],
        str(ALL["subject"])[14:],
        "epoch: 3",
        "signature",
        signature,
        "chain 1337",
        f"contract {CONTRACT}",
    )
    expected = HeldStop(Revocation(SIGNATURE, subject=SUBJECT, epoch=3), 1337, CONTRACT)
    assert read_stop(sheet(*lines)) == expected


def test_sheet_that_names_two_values_is_refused() -> None:
    with pytest.raises(StopUnreadable) as refusal:
        read_stop(sheet(f"subject {ALL['subject']}", "epoch 3", "epoch 4", f"signature {SIGNED}"))
    assert refusal.value.field == "epoch"


def test_document_has_to_be_the_one_that_the_id_names() -> None:
    grant: Grant = example_grant(7)
    named = {**ONE, "consent_id": "0x" + consent_id(grant).hex(), "document": to_json(grant)}
    assert read_stop(json.dumps(named)).stop.document == grant
    with pytest.raises(StopUnreadable):
        read_stop(json.dumps({**named, "consent_id": ONE["consent_id"]}))


def signed_grants() -> dict[str, dict[str, Any]]:
    grant = example_grant(7)
    message = to_json(grant)
    return {
        "body of the API": {"message": message, "via": [], "signature": SIGNED},
        "typed data": {"typed_data": typed_data(grant, DOMAIN), "signature": SIGNED},
        "message alone": {**message, "signature": SIGNED},
        "document without an id": {"document": message, "signature": SIGNED},
    }


@pytest.mark.parametrize("form", signed_grants())
def test_grant_is_refused_whatever_form_it_has(form: str) -> None:
    with pytest.raises(NotAStop):
        read_stop(json.dumps(signed_grants()[form]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "7",
        json.dumps({**ALL, "signature": "0x12345"}),
        json.dumps({**ALL, "signature": None}),
        json.dumps({**ALL, "epoch": None}),
        json.dumps({**ALL, "epoch": 2**32}),
        json.dumps({**ALL, "subject": "0x" + "00" * 12}),
        json.dumps({**ALL, "subject": "a1b2"}),
        json.dumps({**ALL, "via": "x"}),
        json.dumps({**ALL, "more": 1}),
        json.dumps({**ALL, "contract": CONTRACT[:-1] + "4"}),
        json.dumps({**ONE, "consent_id": "0x12"}),
        json.dumps({"typed_data": {"primaryType": "Revoke"}, "signature": SIGNED}),
        sheet("subject 0xa1", "epoch 3"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_stop(text)
    assert isinstance(refusal.value, StopUnreadable | InvalidTerms) or refusal.value.field == "subject"
