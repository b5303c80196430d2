"""Sealed exports are kept in order, one a study, and go with any of their patients."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.export_store import MongoExportStore
from backend.erasure.types import Scope
from backend.research.types import StudyId
from backend.types import RecordId, SubjectId
from tests.support.erasing import unconnected
from tests.support.memory_keys import MemoryKeyStore

STUDY, OTHER = StudyId(b"s" * 32), StudyId(b"o" * 32)


@pytest.fixture
def store(mongo: Database[dict[str, Any]]) -> MongoExportStore:
    mongo["research_exports"].delete_many({})
    return MongoExportStore(mongo)


def put(store: MongoExportStore, study: StudyId, *subjects: int, parts: int = 3) -> bytes:
    export = secrets.token_bytes(16)
    for number in reversed(range(1, parts + 1)):
        store.put(study, export, number, bytes([number]) * 9, subjects=[SubjectId(each) for each in subjects])
    return export


def test_parts_come_in_order(store: MongoExportStore) -> None:
    export, other = put(store, STUDY, 1, parts=12), put(store, STUDY, 1)
    assert b"".join(store.parts(export)) == b"".join(bytes([number]) * 9 for number in range(1, 13))
    assert (store.count(export), store.count(other), store.count(bytes(16))) == (12, 3, 0)
    store.drop(export)
    assert (store.count(export), store.count(other)) == (0, 3)
    store.drop(export)


def test_only_the_newest_of_a_study_is_kept(store: MongoExportStore) -> None:
    old, new, elsewhere = put(store, STUDY, 1), put(store, STUDY, 1), put(store, OTHER, 1)
    store.keep_only(STUDY, new)
    assert [store.count(each) for each in (old, new, elsewhere)] == [0, 3, 3]


def test_export_goes_with_each_person_in_it(store: MongoExportStore, mongo: Database[dict[str, Any]]) -> None:
    first, second = put(store, STUDY, 5, 6), put(store, OTHER, 6, 7)
    found = unconnected(mongo, MemoryKeyStore())
    exports = next(each for each in found if each.name == "research_exports")
    assert [exports.count(Scope(SubjectId(number))) for number in (5, 6, 7, 8)] == [3, 6, 3, 0]
    exports.erase(Scope(SubjectId(8)))
    assert (store.count(first), store.count(second)) == (3, 3)
    exports.erase(Scope(SubjectId(5)))
    assert (store.count(first), store.count(second)) == (0, 3)
    exports.erase(Scope(SubjectId(7), (RecordId(b"r" * 16),)))  # with one record of theirs, too
    assert store.count(second) == 0
