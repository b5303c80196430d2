"""Key slots in the real index: compare-and-swap, erasure, and what the rows show."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.slot_store import MongoSlotIndex
from backend.records.ports import SlotRow
from backend.types import SubjectId

ANNA, BEN = SubjectId(77), SubjectId(78)


@pytest.fixture
def slots(mongo: Database[dict[str, Any]]) -> MongoSlotIndex:
    return MongoSlotIndex(mongo)


def row(name: str, revision: int, subject: SubjectId = ANNA, sealed: bytes = b"s") -> SlotRow:
    return SlotRow(name * 64, subject, revision, sealed)


def test_first_revision_is_written_once(slots: MongoSlotIndex) -> None:
    assert slots.replace(row("a", 1, sealed=b"first"))
    assert not slots.replace(row("a", 1, sealed=b"second"))
    assert slots.find("a" * 64) == row("a", 1, sealed=b"first")
    assert slots.find("b" * 64) is None


def test_table_is_replaced_by_the_next_revision_only(slots: MongoSlotIndex) -> None:
    slots.replace(row("a", 1))
    assert not slots.replace(row("a", 3))
    assert slots.replace(row("a", 2, sealed=b"new"))
    assert not slots.replace(row("a", 2, sealed=b"late"))
    assert not slots.replace(row("b", 2))
    assert slots.find("a" * 64) == row("a", 2, sealed=b"new")


def test_one_of_many_writers_of_a_revision_wins(slots: MongoSlotIndex) -> None:
    for revision in (1, 2):
        rows = [row("a", revision, sealed=bytes([number])) for number in range(16)]
        with ThreadPoolExecutor(16) as threads:
            assert sum(threads.map(slots.replace, rows)) == 1


def test_erasing_a_patient_takes_all_its_tables_and_no_other(slots: MongoSlotIndex) -> None:
    for name, subject in (("a", ANNA), ("b", ANNA), ("c", BEN)):
        slots.replace(row(name, 1, subject))
    assert {found.name[0] for found in slots.of_subject(ANNA)} == {"a", "b"}
    assert slots.erase_subject(ANNA) == 2
    assert slots.erase_subject(ANNA) == 0
    assert list(slots.everything()) == [row("c", 1, BEN)]
