"""Copies the index out, document by document, and puts a copy back in. Knows no collection's meaning but for
the order of reading, and the counts that a restore never lowers.

Nothing stops while a copy is made, so what points is read before what it points to, and each write is in the
opposite order: acts before what they did, checkpoints before the log's head, the head before its entries, a
release before who was in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import bson
from pymongo.database import Database

from backend.adapters.index.changes import Deleted
from backend.adapters.index.failures import translated

Document = dict[str, Any]
Change: TypeAlias = tuple[str, bytes, bytes | None]
_FIRST: Final = ("acts", "audit_checkpoints", "audit_state", "care_team_lists", "research_releases")
_HEAD_LAST: Final = "audit_state"
# Sessions end with the service they were of: one that was revoked after the copy must not come back.
_LEFT_OUT: Final = frozenset({"token_families"})
_COUNTS: Final[Mapping[str, str]] = {"consent_uses": "n"}
_BATCH: Final = 500
_BATCH_BYTES: Final = 2 << 20


class MongoIndexCopy:
    """Implements ``backend.backup.ports.IndexCopy``."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    pointing = frozenset(_FIRST)

    def collections(self) -> list[str]:
        with translated():
            there = {
                name for name in self._database.list_collection_names() if not name.startswith("system.")
            }
        there -= _LEFT_OUT
        return [*(name for name in _FIRST if name in there), *sorted(there - set(_FIRST))]

    def documents(self, collection: str) -> Iterator[bytes]:
        if collection == _HEAD_LAST:
            return self._one_by_one(collection)
        return self._all(collection)

    def changed(self, changes: Mapping[str, set[Any] | None]) -> Iterator[Change | str]:
        for collection in self.collections():
            ids = changes.get(collection, set())
            if ids is None:
                yield collection
                for every in self.documents(collection):
                    yield collection, b"", every
            else:
                # First what was deleted: what was written again after it follows as it is now.
                for each in ids:
                    if isinstance(each, Deleted):
                        yield collection, each.matching, None
                for key in _ordered(each for each in ids if not isinstance(each, Deleted)):
                    yield collection, bson.encode({"_id": key}), self._find(collection, key)

    def log_head(self) -> tuple[int, bytes]:
        with translated():
            head = self._database[_HEAD_LAST].find_one({"_id": "head"})
        return (0, b"") if head is None else (head["size"], bytes.fromhex(head["root"]))

    def _all(self, collection: str) -> Iterator[bytes]:
        with translated():
            for document in self._database[collection].find({}).batch_size(_BATCH):
                yield bson.encode(document)

    def _one_by_one(self, collection: str) -> Iterator[bytes]:
        with translated():
            keys = [document["_id"] for document in self._database[collection].find({}, {"_id": 1})]
        for key in _ordered(keys):
            found = self._find(collection, key)
            if found is not None:
                yield found

    def _find(self, collection: str, key: Any) -> bytes | None:
        with translated():
            document = self._database[collection].find_one({"_id": key})
        return None if document is None else bson.encode(document)


def _ordered(keys: Iterable[Any]) -> list[Any]:
    """Backwards, so that the log's head is read after the checkpoints beside it ("newest" and its like)."""
    return sorted(keys, key=str, reverse=True)


class MongoIndexLoad:
    """Puts documents into an index that nobody else uses."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def is_empty(self) -> bool:
        with translated():
            return not any(
                self._database[name].find_one({}, {"_id": 1})
                for name in self._database.list_collection_names()
            )

    def clear(self) -> None:
        """Drop every collection: a restore that was killed begins anew."""
        with translated():
            for name in self._database.list_collection_names():
                self._database.drop_collection(name)

    def insert(self, collection: str, documents: Iterable[bytes]) -> None:
        """Add documents that are not there yet, some at a time: a server takes long to keep large ones."""
        pending: list[Document] = []
        size = 0
        for document in documents:
            pending.append(bson.decode(document))
            size += len(document)
            if len(pending) == _BATCH or size >= _BATCH_BYTES:
                self._insert(collection, pending)
                pending, size = [], 0
        if pending:
            self._insert(collection, pending)

    def _insert(self, collection: str, documents: list[Document]) -> None:
        with translated():
            self._database[collection].insert_many(documents, ordered=False)

    def put(self, collection: str, document: bytes) -> None:
        """Put a document in the place of the one before; where both count uses, the higher count stays."""
        new = bson.decode(document)
        with translated():
            table = self._database[collection]
            old = table.find_one({"_id": new["_id"]})
            count = _COUNTS.get(collection)
            if old is not None and count is not None and old[count] > new[count]:
                return
            if old is not None:
                table.delete_one({"_id": new["_id"]})
            table.insert_one(new)

    def drop(self, collection: str, matching: bytes) -> None:
        with translated():
            self._database[collection].delete_many(bson.decode(matching))

    def empty(self, collection: str) -> None:
        with translated():
            self._database[collection].delete_many({})

    def cut_log(self) -> None:
        """Take away entries past the head: they were read after it, and the next part would have had them."""
        with translated():
            head = self._database[_HEAD_LAST].find_one({"_id": "head"})
            if head is not None:
                past = {"_id": {"$gte": f"{head['size']:015d}"}}
                for name in ("audit_bundles", "audit_bodies"):  # both are named by their first entry
                    self._database[name].delete_many(past)
