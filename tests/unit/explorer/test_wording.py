"""Every event has a sentence that names what it names, and nothing is lost on the way to JSON."""

from __future__ import annotations

import json

import pytest

from backend.adapters.ledger.abi import CONTRACTS, artifact
from backend.adapters.ledger.deployment_file import SUCCEEDED, artifact_of
from backend.errors import InvalidInput
from backend.explorer.sentences import SENTENCES, says
from backend.explorer.show import parse_id
from backend.explorer.wording import arguments_json, contract_title, ids_of, iso, refusal, role_names, until
from backend.types import MAX_UINT40
from tests.support.ledger_events import NOBODY, account, event, sample

EVENTS = [
    (contract, found.name, generation)
    for contract in CONTRACTS
    for generation in ((0, 1) if contract in SUCCEEDED else (0,))
    for found in artifact(artifact_of(contract, generation)).events.values()
]


def test_sentences_are_those_of_the_interfaces() -> None:
    told = {(contract, name) for contract, names in SENTENCES.items() for name in names}
    assert told == {(contract, name) for contract, name, _ in EVENTS}


@pytest.mark.parametrize(("contract", "name", "generation"), EVENTS)
def test_every_event_is_said_in_words_and_in_json(contract: str, name: str, generation: int) -> None:
    timed = sample(contract, name, generation)
    text = says(timed)
    assert text
    assert "{" not in text
    assert set(json.loads(json.dumps(arguments_json(timed.event.arguments)))) == set(timed.event.arguments)


def test_key_of_every_event_is_in_its_sentence() -> None:
    for contract, name, generation in EVENTS:
        timed = sample(contract, name, generation)
        first = next(iter(timed.event.arguments.values()), None)
        if isinstance(first, bytes) and len(first) == 32:
            assert first.hex() in says(timed), name


def test_sentences_say_who_is_missing_and_what_was_late() -> None:
    slot = 9 | 2 << 96 | MAX_UINT40 << 176 | 500 << 216
    granted = {"id": b"\1" * 32, "subject": 9, "slot": slot}
    alone = says(event("ConsentRegistry", "ConsentGranted", **granted, delegation=bytes(32)))
    assert alone.endswith("recorded, from 1970-01-01T00:08:20Z without end")
    assert alone.startswith("deny 0x0101")
    under = says(event("ConsentRegistry", "ConsentGranted", **granted, delegation=b"\2" * 32))
    assert under.endswith("given under delegation 0x" + "02" * 32)
    opened = {"subject": 9, "custodian": account(1), "member": b"\1" * 32}
    assert "under guardians" in says(event("ConsentRegistry", "SubjectOpened", controller=NOBODY, **opened))
    with_controller = says(event("ConsentRegistry", "SubjectOpened", controller=account(7), **opened))
    assert f"controller {account(7)}" in with_controller


def test_operation_is_told_by_the_function_it_calls() -> None:
    call = artifact("ParticipantRegistry").functions["suspend"].encode([b"\5" * 32])
    values = {
        "operationId": b"\1" * 32,
        "nonce": 1,
        "schedule": 5,
        "caller": account(1),
        "target": account(2),
    }
    said = says(event("AccessManager", "OperationScheduled", data=call, **values))
    assert "suspend of 0x" + "05" * 32 in said
    assert "function 0xdeadbeef" in says(
        event("AccessManager", "OperationScheduled", data=bytes.fromhex("deadbeef"), **values)
    )


def test_ids_are_hashes_subjects_and_accounts_and_never_numbers() -> None:
    terms = (b"\1" * 32, b"\2" * 32, account(3), account(4))
    funded = event(
        "ResearchMarket", "EscrowFunded", escrow=b"\5" * 32, study=b"\1" * 32, terms=terms, received=9
    )
    assert ids_of(funded) == {
        b"\1" * 32, b"\2" * 32, (3).to_bytes(32), (4).to_bytes(32), b"\5" * 32,
    }  # fmt: skip
    revoked = event("ConsentRegistry", "AllRevoked", subject=9, epoch=3)
    assert ids_of(revoked) == {(9).to_bytes(32)}
    permitted = event(
        "ResearchMarket", "StudyRevoked", study=b"\1" * 32, revokedAt=5, members=(account(1), account(2))
    )
    assert ids_of(permitted) == {b"\1" * 32, (1).to_bytes(32), (2).to_bytes(32)}


def test_json_names_members_of_structs_and_keeps_large_numbers() -> None:
    state = (b"\1" * 32, bytes(32), 1, 2, 3, account(4), 5, 6, True)
    found = arguments_json({"subject": 9, "state": state, "total": 2**60, "slot": 2**200, "data": b"\1"})
    assert found["subject"] == "0x000000000000000000000009"
    assert found["state"]["controller"] == account(4)
    assert found["state"]["isVetoSpent"] is True
    assert (found["total"], found["slot"], found["data"]) == (str(2**60), hex(2**200), "0x01")


def test_times_are_iso_or_said_to_have_no_end() -> None:
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(1_795_643_570) == "2026-11-25T21:52:50Z"
    assert (iso(MAX_UINT40), until(MAX_UINT40), until(0)) == (
        "without end", "without end", "until 1970-01-01T00:00:00Z",
    )  # fmt: skip
    assert iso(MAX_UINT40 - 1) == f"unix {MAX_UINT40 - 1}"  # beyond the calendar


def test_roles_and_refusals_have_names() -> None:
    assert role_names(0) == "no role"
    assert role_names(1 | 32 | 256) == "custodian, responder, operator"
    error = next(
        selector
        for selector, (name, _) in artifact("ConsentRegistry").errors.items()
        if name == "ConsentUnknown"
    )
    assert refusal(error + b"\7" * 32) == "ConsentUnknown(0x" + "07" * 32 + ")"
    assert refusal(b"") == "no reason given"


@pytest.mark.parametrize("text", ["", "0x", "xyz", "0x" + "1" * 65, "-1", "0x1 2"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_id(text)


@pytest.mark.parametrize("text", ["0x09", "9", " 0X000000000000000000000009 ", "0" * 63 + "9"])
def test_id_may_be_short(text: str) -> None:
    assert parse_id(text) == (9).to_bytes(32)


def test_contract_that_was_succeeded_is_named_as_such() -> None:
    assert contract_title("ConsentRegistry", 0, 0) == "ConsentRegistry"
    assert contract_title("ConsentRegistry", 1, 1) == "ConsentRegistry"
    assert contract_title("ConsentRegistry", 0, 1) == "ConsentRegistry (succeeded)"
    assert contract_title("KeyRegistry", 1, 2) == "KeyRegistry (succeeded, 2 of 3)"
    assert contract_title("AuditAnchor", 0, 2) == "AuditAnchor"  # which stays


def test_sentences_say_what_was_taken_over() -> None:
    slot = 9 | 2 << 96 | MAX_UINT40 << 176 | 500 << 216
    adopted = {"id": b"\1" * 32, "subject": 9}
    live = says(event("ConsentRegistry", "ConsentAdopted", generation=1, slot=slot, **adopted))
    assert live.startswith("deny 0x0101")
    assert live.endswith("taken over from the registry before, from 1970-01-01T00:08:20Z without end")
    ended = says(event("ConsentRegistry", "ConsentAdopted", generation=1, slot=slot | 600 << 136, **adopted))
    assert ended.endswith("taken over from the registry before, revoked 1970-01-01T00:10:00Z")
    subject = 7 << 160 | 1 << 192 | 1 << 224
    values = {"generation": 1, "subject": 9, "member": b"\1" * 32}
    guarded = says(event("ConsentRegistry", "SubjectAdopted", slot=subject, **values))
    assert "under guardians, in epoch 7 with 1 document ever recorded" in guarded
    controlled = says(event("ConsentRegistry", "SubjectAdopted", slot=subject | 0xAB, **values))
    assert f"with controller {account(0xAB)}" in controlled
