"""Reading everything back: events for projections, raw bytes for whoever looks for personal data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.adapters.ledger.calls import Call, Sender
from backend.adapters.ledger.dump import raw_dump, replica
from backend.consent.terms import Revoke
from backend.consent.typed_data import consent_id
from backend.types import BlockNumber
from tests.support.ledger_world import Person, World, embedded_world, grant, person

PLANTED = b"Jane Roe, 1970-01-01"


@pytest.fixture(scope="module")
def patient() -> Person:
    return person()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, patient: Person) -> Iterator[World]:
    with embedded_world(tmp_path_factory.mktemp("chain")) as made:
        made.open_subject(7, patient)
        given = grant(7)
        made.ledger.consents.record(given, patient.sign(given, made.domain))
        revocation = Revoke(consent_id(given))
        made.ledger.consents.revoke(consent_id(given), patient.sign(revocation, made.domain))
        yield made


def test_events_come_decoded_in_chain_order_and_page_by_page(
    world: World, patient: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = world.chain.view().head_number
    events = list(world.ledger.events.events(BlockNumber(0), head))
    story = [event for event in events if event.arguments.get("subject") == 7]
    assert [event.name for event in story] == ["SubjectOpened", "ConsentGranted", "ConsentRevoked"]
    assert story[0].arguments["controller"].lower() == patient.account.lower()  # type: ignore[attr-defined]
    positions = [(event.block_number, event.log_index) for event in events]
    assert positions == sorted(positions)
    assert story[2].block_number == head
    monkeypatch.setattr("backend.adapters.ledger.events._BLOCKS_A_REQUEST", 2)
    assert list(world.ledger.events.events(BlockNumber(0), head)) == events
    last = list(world.ledger.events.events(head, head))
    assert [event.name for event in last] == ["ConsentRevoked"]


def test_dump_holds_calldata_logs_and_storage_of_every_transaction(world: World) -> None:
    head = world.chain.view().head_number
    with replica(world.chain) as rpc:  # type: ignore[arg-type]
        dump = list(raw_dump(rpc, BlockNumber(0), head))
    assert {item.block_number for item in dump} == set(range(1, head + 1))
    granted = dump[-2]
    view = world.chain.view()
    slot = world.chain.rpc().call(
        "eth_getStorageAt",
        granted.storage[0].address,
        "0x" + granted.storage[0].slot.hex(),
        hex(view.head_number),
    )
    assert granted.logs
    assert len(granted.storage) == 2  # the consent and its subject's count
    assert slot != "0x" + "00" * 32
    assert not any(PLANTED in item.everything() for item in dump)


def test_dump_finds_what_should_not_be_there(world: World) -> None:
    receipt = world.relayer.submit(Call(world.relayer.address(Sender.RELAYER), PLANTED, 60_000))
    with replica(world.chain) as rpc:  # type: ignore[arg-type]
        dump = list(raw_dump(rpc, receipt.block_number, receipt.block_number))
    assert any(PLANTED in item.everything() for item in dump)
