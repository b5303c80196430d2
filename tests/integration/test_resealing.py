"""Keys of sealed documents are replaced: who gets a new one, and what is damaged meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.contact_store import MongoContactStore
from backend.adapters.index.resealing import Resealing
from backend.adapters.index.rotation import READ_TOGETHER, DocumentsDamaged
from backend.erasure.service import ACT as ERASURE
from backend.keystore import SecretNotFound, version_of
from backend.notices.contact_book import place_of
from backend.notices.contact_types import ContactRow
from backend.outbox.types import Act
from backend.sealed import KEY_CLASS, DocumentSealer, SealedDocumentRefused, documents_key
from backend.types import SubjectId, UnixSeconds
from tests.support.memory_keys import MemoryKeyStore

ANNA, BERT, CARLA = SubjectId(1), SubjectId(2), SubjectId(3)


class Bench:
    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.database = database
        self.keys = MemoryKeyStore()
        self.contacts = MongoContactStore(database)

    def write(self, subject: SubjectId) -> None:
        sealed = DocumentSealer(self.keys).seal(b"a file", subject=subject, place=place_of(subject))
        assert self.contacts.put(ContactRow(subject, sealed, "", 1))

    def read(self, subject: SubjectId) -> bytes:
        return DocumentSealer(self.keys).open(self.sealed(subject), subject=subject, place=place_of(subject))

    def sealed(self, subject: SubjectId) -> bytes:
        row = self.contacts.get(subject)
        assert row is not None
        return row.sealed

    def spoil(self, subject: SubjectId) -> None:
        sealed = self.sealed(subject)
        self.database["contacts"].update_one(
            {"_id": f"{subject:024x}"}, {"$set": {"sealed": sealed[:-1] + bytes([sealed[-1] ^ 1])}}
        )

    def rotate(self) -> None:
        Resealing(self.database, self.keys).rotate(clock=lambda: 7)

    def versions(self, subject: SubjectId) -> list[int]:
        return [version for version in (1, 2, 3) if self.keys.exists(*documents_key(subject, version))]


@pytest.fixture
def bench(mongo: Database[dict[str, Any]]) -> Bench:
    return Bench(mongo)


def test_documents_get_a_new_key_and_what_lay_under_the_old_one_opens_no_more(bench: Bench) -> None:
    bench.write(ANNA)
    for version in (2, 3):
        before = bench.sealed(ANNA)
        bench.rotate()
        assert bench.read(ANNA) == b"a file"
        assert bench.versions(ANNA) == [version]
        with pytest.raises(SealedDocumentRefused):
            DocumentSealer(bench.keys).open(before, subject=ANNA, place=place_of(ANNA))
    assert version_of(bench.keys, KEY_CLASS) == (KEY_CLASS, 3, 3, 7, 1)


def test_whoever_was_erased_and_whose_keys_are_about_to_go_get_none(bench: Bench) -> None:
    for subject in (ANNA, BERT, CARLA):
        bench.write(subject)
    bench.keys.erase(*documents_key(BERT, 1))
    plan = {"keys": [list(documents_key(CARLA, 1))], "commitments": [], "roots": [], "counts": []}
    act = Act(ERASURE, "e", "planned", {"plan": plan}, 1, 0, UnixSeconds(1))
    assert MongoActStore(bench.database, bench.keys).insert(act, holder="", leased_until=UnixSeconds(1))
    bench.rotate()
    assert bench.read(ANNA) == b"a file"
    assert bench.versions(BERT) == bench.versions(CARLA) == []
    with pytest.raises(SecretNotFound):
        bench.read(CARLA)


def test_damaged_document_is_named_before_any_key_changes(bench: Bench) -> None:
    for subject in (ANNA, BERT):
        bench.write(subject)
    bench.spoil(BERT)
    with pytest.raises(DocumentsDamaged, match=f"contacts {BERT:024x}"):
        bench.rotate()
    assert bench.versions(ANNA) == [1]
    assert version_of(bench.keys, KEY_CLASS).version == 1


def test_document_that_is_damaged_during_a_rotation_keeps_nothing_else_from_its_end(bench: Bench) -> None:
    for subject in (ANNA, BERT):
        bench.write(subject)
    bench.keys.note_version(version_of(bench.keys, KEY_CLASS)._replace(version=2))
    bench.spoil(BERT)
    Resealing(bench.database, bench.keys).finish()
    assert bench.read(ANNA) == b"a file"
    with pytest.raises(SealedDocumentRefused):
        bench.read(BERT)


def test_more_documents_than_are_read_together_are_all_sealed_anew(bench: Bench) -> None:
    subjects = [SubjectId(number) for number in range(1, 2 * READ_TOGETHER + 2)]
    for subject in subjects:
        bench.write(subject)
    bench.rotate()
    assert {bench.read(subject) for subject in subjects} == {b"a file"}
    assert {tuple(bench.versions(subject)) for subject in subjects} == {(2,)}
