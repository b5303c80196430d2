"""The release ledger on a real MongoDB-wire server: races, what the index holds, forgery, erasure."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index import release_store
from backend.adapters.index.marks import DocumentForged, Marks
from backend.adapters.index.release_store import MongoReleaseStore, ReleaseMembers
from backend.adapters.index.server import EmbeddedIndex, connect
from backend.adapters.keys.study_keys import StoredStudyKeys
from backend.erasure.types import Scope
from backend.keystore import KeyStore
from backend.research.anonymize.refusals import ReleaseOverlap
from backend.research.pseudonyms import release_mark
from backend.research.releases.errors import ReleaseLedgerDamaged
from backend.research.releases.ledger import ReleaseLedger
from backend.research.types import StudyId
from backend.types import RecordId, SubjectId
from tests.support.memory_chains import MemoryChainLog
from tests.support.memory_keys import MemoryKeyStore

Mongo = Database[dict[str, Any]]
STUDY, OTHER = StudyId(b"1" * 32), StudyId(b"2" * 32)
NOW = 1_790_000_000


@pytest.fixture
def keys() -> KeyStore:
    return MemoryKeyStore()


def ledger(mongo: Mongo, keys: KeyStore) -> ReleaseLedger:
    return ReleaseLedger(
        store=MongoReleaseStore(mongo, keys),
        log=MemoryChainLog(),
        keys=StoredStudyKeys(keys),
        ledger="hospital",
        clock=lambda: NOW,
    )


def people(*groups: range) -> dict[SubjectId, int]:
    """Subjects of 96 bits, so that a search for one cannot find it by chance."""
    return {subject(person): number for number, group in enumerate(groups) for person in group}


def subject(person: int) -> SubjectId:
    return SubjectId((person + 1) * 0x9E3779B97F4A7C15F39CC060 % 2**96)


def test_release_is_kept_with_its_members_and_found_again(mongo: Mongo, keys: KeyStore) -> None:
    entry = ledger(mongo, keys).admit(STUDY, 5, people(range(8), range(8, 15)))
    store = MongoReleaseStore(mongo, keys)
    assert list(store.entries("hospital")) == [entry]
    assert list(store.entries("clinic")) == []
    assert sorted(store.members(entry).values()) == [0] * 8 + [1] * 7
    with pytest.raises(ReleaseOverlap):
        ledger(mongo, keys).admit(OTHER, 5, people(range(7), range(7, 15)))
    assert mongo.research_releases.count_documents({}) == 1


def test_release_of_many_parts_is_read_whole_or_not_at_all(
    mongo: Mongo, keys: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_store, "_MEMBERS_A_PART", 4)
    entry = ledger(mongo, keys).admit(STUDY, 5, people(range(10)))
    assert mongo.release_members.count_documents({}) == 3
    assert len(MongoReleaseStore(mongo, keys).members(entry)) == 10
    mongo.release_members.delete_one({"_id": f"{entry.release_id.hex()}:000001"})
    with pytest.raises(ReleaseLedgerDamaged):
        ledger(mongo, keys).admit(OTHER, 5, people(range(20, 30)))


def test_of_eight_releases_at_once_over_the_same_people_one_passes(
    index_server: EmbeddedIndex, mongo: Mongo, keys: KeyStore
) -> None:
    MongoReleaseStore(mongo, keys)  # the indexes stand before the race
    study_keys = StoredStudyKeys(keys)
    studies = [StudyId(bytes([number]) * 32) for number in range(8)]
    for study in studies:
        study_keys.study_key(study)
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def client(number: int) -> None:
        database = connect(index_server.uri, database=mongo.name, timeout_ms=20_000)
        start.wait(timeout=30)
        try:
            # Each cuts the same forty people at another place: any two leave somebody alone or nearly so.
            cut = 10 + 2 * number
            ledger(database, keys).admit(studies[number], 5, people(range(cut), range(cut, 40)))
            outcomes.append("passed")
        except ReleaseOverlap:
            outcomes.append("refused")
        finally:
            database.client.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    entries = ledger(mongo, keys).verify()
    assert outcomes.count("passed") == len(entries)
    assert len(outcomes) == 8
    # Those that passed lie at least five people apart from each other.
    cuts = sorted(10 + 2 * entry.study[0] for entry in entries)
    assert all(after - before >= 5 for before, after in pairwise(cuts))


def test_index_holds_no_subject_and_takes_no_forged_release(mongo: Mongo, keys: KeyStore) -> None:
    group = people(range(10))
    ledger(mongo, keys).admit(STUDY, 5, group)
    stored = repr(list(mongo.research_releases.find()) + list(mongo.release_members.find()))
    raw = b"".join(bytes(part["members"]) for part in mongo.release_members.find())
    for one in group:
        assert f"{one:024x}" not in stored
        assert str(one) not in stored
        assert one.to_bytes(12) not in raw
    part = mongo.release_members.find_one({})
    assert part is not None
    mongo.release_members.update_one({"_id": part["_id"]}, {"$set": {"members": bytes(part["members"])[20:]}})
    with pytest.raises(DocumentForged):
        ledger(mongo, keys).admit(OTHER, 5, people(range(20, 30)))
    mongo.release_members.update_one({"_id": part["_id"]}, {"$set": {"members": bytes(part["members"])}})
    mongo.research_releases.update_one({"place": 0}, {"$set": {"k": 2}})
    with pytest.raises(DocumentForged):
        ledger(mongo, keys).admit(OTHER, 5, people(range(20, 30)))


def test_erased_person_is_in_no_release_any_more_and_the_others_stay(mongo: Mongo, keys: KeyStore) -> None:
    study_keys = StoredStudyKeys(keys)
    first = ledger(mongo, keys).admit(STUDY, 5, people(range(10)))
    second = ledger(mongo, keys).admit(OTHER, 5, people(range(10), range(20, 26)))
    members = ReleaseMembers(
        mongo,
        mark_of=lambda study, who: release_mark(study_keys.study_key(study), study, who),
        marked=Marks(keys, "release_members").marked,
    )
    scope = Scope(subject(3))
    assert members.count(scope) == 2
    assert members.count(Scope(subject(3), (RecordId(b"r" * 16),))) == 0
    assert members.count(Scope(subject(99))) == 0
    members.erase(scope)
    members.erase(scope)
    assert members.count(scope) == 0
    store = MongoReleaseStore(mongo, keys)
    assert (len(store.members(first)), len(store.members(second))) == (9, 15)
    ledger(mongo, keys).verify()
