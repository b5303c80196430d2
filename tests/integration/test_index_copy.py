"""The index copied out and in, and what the listener saw of its writes."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.changes import Deleted, IndexChanges
from backend.adapters.index.copying import MongoIndexCopy, MongoIndexLoad
from backend.adapters.index.record_index import MongoRecordIndex
from backend.adapters.index.server import EmbeddedIndex, connect
from backend.records.ports import VersionRow
from backend.types import Bytes32, RecordId, SubjectId, UnixSeconds


@pytest.fixture
def changes() -> IndexChanges:
    return IndexChanges()


@pytest.fixture
def watched(mongo: Database[dict[str, Any]], index_server: EmbeddedIndex, changes: IndexChanges) -> Any:
    database = connect(index_server.uri, database=mongo.name, listeners=[changes])
    yield database
    database.client.close()


def test_every_kind_of_write_is_seen_and_told_once(watched: Any, changes: IndexChanges) -> None:
    watched["a"].insert_many([{"_id": "1"}, {"_id": "2"}])
    watched["a"].update_one({"_id": "1", "n": None}, {"$set": {"n": 1}})
    watched["b"].update_one({"_id": "new"}, {"$set": {"n": 1}}, upsert=True)
    watched["b"].update_many({"_id": {"$in": ["new", "other"]}}, {"$set": {"n": 2}})
    watched["c"].insert_one({"_id": "1", "n": 1})
    watched["c"].delete_many({"n": 1})
    watched["d"].insert_one({"_id": "1"})
    watched["d"].find_one_and_update({"_id": "1"}, {"$set": {"n": 1}})
    watched["d"].find_one({"_id": "unread"})
    taken = changes.take()
    assert taken == {
        "a": {"1", "2"},
        "b": {"new", "other"},
        "c": {"1", Deleted(bson.encode({"n": 1}))},
        "d": {"1"},
    }
    watched["a"].update_many({"n": 1}, {"$set": {"n": 2}})
    watched["c"].insert_one({"_id": "2", "n": 1})
    watched["c"].delete_one({"n": 1})
    assert changes.take() == {"a": None, "c": None}
    assert changes.take() == {}


def test_write_that_matched_nothing_is_no_change(watched: Any, changes: IndexChanges) -> None:
    watched["a"].delete_many({"until": {"$lt": 5}})
    watched["a"].update_one({"_id": "missing"}, {"$set": {"n": 1}})
    assert changes.take() == {}


def test_write_that_failed_may_have_happened_and_is_told(watched: Any, changes: IndexChanges) -> None:
    watched["a"].insert_one({"_id": "1"})
    changes.take()
    with pytest.raises(DuplicateKeyError):
        watched["a"].insert_one({"_id": "1"})
    assert changes.take() in ({"a": {"1"}}, {})


def test_changes_put_back_are_told_again_and_too_many_are_none(watched: Any) -> None:
    changes = IndexChanges(max_changes=3)
    changes.put_back({"a": {"1", "2"}, "b": None})
    changes.put_back({"a": {"2"}})
    taken = changes.take()
    assert taken == {"a": {"1", "2"}, "b": None}
    changes.put_back({"a": {"1", "2", "3", "4"}})
    assert changes.take() is None
    assert changes.take() == {}


def test_making_a_version_current_names_the_documents_it_changes(watched: Any, changes: IndexChanges) -> None:
    index, record = MongoRecordIndex(watched), RecordId(b"\x01" * 16)
    for version in (1, 2, 3):
        index.put(
            VersionRow(
                record,
                version,
                SubjectId(5),
                b"manifest",
                Bytes32(b"\x02" * 32),
                UnixSeconds(1),
                current=False,
            )
        )
        changes.take()
        index.make_current(record, version)
        names = {f"{record.hex()}/{number}" for number in (version - 1, version) if number}
        assert changes.take() == {"records": names}
        current = index.current(record)
        assert current is not None
        assert current.version == version


def test_copy_put_back_is_the_same_document_for_document(watched: Any, mongo: Any, index_server: Any) -> None:
    rows = [
        {
            "_id": f"{n:04d}",
            "big": 2**40 + n,
            "bytes": bytes([n % 256]) * 40,
            "list": [1, {"x": None}],
            "f": 0.5,
        }
        for n in range(1200)
    ]
    watched["records"].insert_many(rows)
    watched["acts"].insert_one({"_id": "act", "data": {"a": True}})
    watched["token_families"].insert_one({"_id": "session"})
    copy = MongoIndexCopy(watched)
    assert copy.collections() == ["acts", "records"]  # what points first; sessions end
    other = connect(index_server.uri, database=mongo.name + "copy")
    try:
        load = MongoIndexLoad(other)
        assert load.is_empty()
        for name in copy.collections():
            load.insert(name, copy.documents(name))
        assert not load.is_empty()
        for name in copy.collections():
            assert sorted(MongoIndexCopy(other).documents(name)) == sorted(copy.documents(name))
        load.clear()
        assert load.is_empty()
    finally:
        other.client.close()


def test_head_of_the_log_is_read_after_its_checkpoints(mongo: Database[dict[str, Any]]) -> None:
    for key in ("head", "newest", "newest_anchored"):
        mongo["audit_state"].insert_one({"_id": key, "size": 1})
    copy = MongoIndexCopy(mongo)
    order = ["newest_anchored", "newest", "head"]
    assert [bson.decode(each)["_id"] for each in copy.documents("audit_state")] == order
    changed = copy.changed({"audit_state": {"head", "newest", "newest_anchored", "gone"}})
    assert [bson.decode(each[1])["_id"] for each in changed] == ["newest_anchored", "newest", "head", "gone"]


@pytest.mark.parametrize(("collection", "count"), [("consent_uses", "n")])
def test_restore_never_lowers_a_count(mongo: Database[dict[str, Any]], collection: str, count: str) -> None:
    load = MongoIndexLoad(mongo)
    for number, expected in ((3, 3), (5, 5), (4, 5), (6, 6)):
        load.put(collection, bson.encode({"_id": "x", count: number}))
        found = mongo[collection].find_one({"_id": "x"})
        assert found is not None
        assert found[count] == expected


def test_other_documents_are_replaced_dropped_and_cleared(mongo: Database[dict[str, Any]]) -> None:
    load = MongoIndexLoad(mongo)
    load.put("a", bson.encode({"_id": "1", "n": 2, "old": True}))
    load.put("a", bson.encode({"_id": "1", "n": 1}))
    load.put("a", bson.encode({"_id": "2"}))
    load.drop("a", bson.encode({"_id": "2"}))
    assert list(mongo["a"].find()) == [{"_id": "1", "n": 1}]
    load.empty("a")
    assert list(mongo["a"].find()) == []


def test_entries_past_the_head_are_cut(mongo: Database[dict[str, Any]]) -> None:
    mongo["audit_state"].insert_one({"_id": "head", "size": 300, "root": "00"})
    mongo["audit_bundles"].insert_many([{"_id": f"{first:015d}"} for first in (0, 256, 300, 301)])
    mongo["audit_bodies"].insert_many([{"_id": f"{first:015d}/ab"} for first in (0, 256, 300, 301)])
    MongoIndexLoad(mongo).cut_log()
    assert [row["_id"] for row in mongo["audit_bodies"].find()] == [f"{first:015d}/ab" for first in (0, 256)]
    assert [row["_id"] for row in mongo["audit_bundles"].find()] == [f"{first:015d}" for first in (0, 256)]


def test_delete_by_what_documents_say_comes_before_what_was_written_after_it(
    watched: Any, changes: IndexChanges, mongo: Any, index_server: Any
) -> None:
    other = connect(index_server.uri, database=mongo.name + "again")
    try:
        load = MongoIndexLoad(other)
        load.insert("a", [bson.encode({"_id": key, "of": "x"}) for key in ("1", "2")])
        watched["a"].insert_many([{"_id": "1", "of": "x"}, {"_id": "2", "of": "x"}])
        changes.take()
        watched["a"].delete_many({"of": "x"})
        watched["a"].insert_one({"_id": "2", "of": "x", "new": True})
        for change in MongoIndexCopy(watched).changed(changes.take() or {}):
            collection, matching, document = change
            load.drop(collection, matching) if document is None else load.put(collection, document)
        assert list(other["a"].find()) == [{"_id": "2", "of": "x", "new": True}]
    finally:
        other.client.close()
