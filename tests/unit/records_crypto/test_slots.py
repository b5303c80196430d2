from __future__ import annotations

from typing import Any

import pytest

from backend.records import canonical
from backend.records.envelope_errors import NotCanonical
from backend.records.sealing import SEALED_BYTES
from backend.records.slots import MAX_SLOTS, CustodianSlot, KeyEpoch, SealedSlot, SlotTable, decode
from backend.types import ConsentId, UnixSeconds


def sealed_slot(number: int, **other: Any) -> SealedSlot:
    fields: dict[str, Any] = {
        "recipient": number.to_bytes(32, "big"),
        "consent": ConsentId(b"\x0c" * 32),
        "expiry": UnixSeconds(2_000_000_000),
        "chain_id": 31_337,
        "contract": b"\x0d" * 20,
        "sealed": b"\x0e" * SEALED_BYTES,
    }
    return SealedSlot(**{**fields, **other})


TABLE = SlotTable(
    "3:1",
    (
        KeyEpoch(CustodianSlot(1, b"\x01" * 40), (sealed_slot(1), sealed_slot(2))),
        KeyEpoch(CustodianSlot(2, b"\x02" * 40), (sealed_slot(3),), handover=b"signed"),
    ),
)


def test_table_encoded_and_decoded_is_the_same() -> None:
    assert decode(TABLE.encode()) == TABLE


def test_epoch_holds_64_slots_and_not_one_more() -> None:
    full = tuple(sealed_slot(number) for number in range(MAX_SLOTS))
    assert len(decode(SlotTable("1:0", (KeyEpoch(sealed=full),)).encode()).epochs[0].sealed) == MAX_SLOTS
    with pytest.raises(ValueError, match="64"):
        KeyEpoch(sealed=(*full, sealed_slot(MAX_SLOTS)))
    with pytest.raises(ValueError, match="64"):
        KeyEpoch(CustodianSlot(1, b"\x01" * 40), full)


def test_epoch_without_a_slot_and_reader_with_two_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to"):
        KeyEpoch()
    with pytest.raises(ValueError, match="one slot"):
        KeyEpoch(sealed=(sealed_slot(1), sealed_slot(1, expiry=UnixSeconds(1))))


def raw(**changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = canonical.decode(TABLE.encode())
    return {**value, **changes}


def changed_epoch(**changes: Any) -> dict[str, Any]:
    value = raw()
    value["epochs"][0].update(changes)
    return value


TOO_MANY = [
    [number.to_bytes(32, "big"), b"\x0c" * 32, 5, 1, b"\x0d" * 20, b"\x0e" * SEALED_BYTES]
    for number in range(MAX_SLOTS)
]


@pytest.mark.parametrize(
    "value",
    [
        raw(v=2),
        raw(more=1),
        raw(kind=1),
        raw(epochs=[]),
        raw(epochs=[1]),
        changed_epoch(more=1),
        changed_epoch(custodian=[1]),
        changed_epoch(custodian=[0, b"\x01" * 40]),
        changed_epoch(custodian=[1, b"\x01" * 41]),
        changed_epoch(custodian=["1", b"\x01" * 40]),
        changed_epoch(sealed=[[b"\x01" * 31, b"\x0c" * 32, 5, 1, b"\x0d" * 20, b"\x0e" * SEALED_BYTES]]),
        changed_epoch(sealed=[[b"\x01" * 32, b"\x0c" * 32, 5, 1, b"\x0d" * 20, b"\x0e" * 1167]]),
        changed_epoch(sealed=[[b"\x01" * 32, b"\x0c" * 32, 5, 1, b"\x0d" * 20]]),
        changed_epoch(sealed=TOO_MANY),
        changed_epoch(suite="1"),
        changed_epoch(handover="signed"),
        changed_epoch(handover=bytes(8193)),
    ],
)
def test_table_with_a_wrong_field_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(NotCanonical):
        decode(canonical.encode(value))


def test_table_in_another_encoding_is_refused() -> None:
    for data in (TABLE.encode() + b"\x00", TABLE.encode()[:-1], b"", canonical.encode([1])):
        with pytest.raises(NotCanonical):
            decode(data)
