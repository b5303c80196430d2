"""The audit log's store on MongoDB (or nx-27017): bundles, head and checkpoints.

A commit is three writes: the encrypted records are inserted, then the bundle that names them, then the head
is compared and swapped with majority and journal. All go to one server, whose journal and replication keep
their order, so the durable head implies the durable bundle; only the last pays for a sync. A bundle at the
head's size whose head was never swapped is an orphan: nobody was told of it, and the next commit replaces it.

The records lie apart because they are five sixths of a bundle and start-up, which reads every leaf, needs
none of them: a server reads a document as a whole, whatever is asked of it.

A merge is one write to one document, the first of those that are merged, compared and swapped; it is durable
before the others are deleted. Records are never written again, nor moved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from itertools import islice
from operator import itemgetter
from typing import Any, ParamSpec, TypeVar

import cbor2
from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from backend.adapters.index.bundle_documents import (
    OpenDocument,
    bundle_of,
    document_of,
    is_as_stored,
    key_of,
    new_records_name,
    records_of,
    with_records,
)
from backend.adapters.index.failures import parser
from backend.audit.bundles import is_part, part_firsts
from backend.audit.errors import AuditFenced, AuditUnavailable, LeaseHeld, LogDamaged
from backend.audit.merkle import EMPTY_ROOT
from backend.audit.types import (
    MAX_BUNDLE_ENTRIES,
    AnchorRecord,
    Bundle,
    Head,
    Part,
    StoredCheckpoint,
    StoredEntry,
)
from backend.types import Address, BlockNumber, LogIndex

Document = dict[str, Any]
P = ParamSpec("P")
R = TypeVar("R")

_HEAD = "head"
_NEWEST = {False: "newest", True: "newest_anchored"}
_COSIGNED = "most_cosigned"
_ACQUIRE_ATTEMPTS = 20
_READ_AT_ONCE = 16
_NAMES_AT_ONCE = 256


def _translated(method: Callable[P, R]) -> Callable[P, R]:
    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except PyMongoError as error:
            raise AuditUnavailable from error

    return call


class MongoAuditStore:
    """AuditStore over a database whose default write concern is majority and journal."""

    def __init__(self, database: Database[Document]) -> None:
        durable = WriteConcern(w="majority", j=True)
        self._bundles = database.get_collection("audit_bundles", write_concern=WriteConcern(w=1))
        self._bodies = database.get_collection("audit_bodies", write_concern=WriteConcern(w=1))
        self._merged = database.get_collection("audit_bundles", write_concern=durable)
        self._state = database.get_collection("audit_state", write_concern=durable)
        self._checkpoints = database.get_collection("audit_checkpoints", write_concern=durable)

    @_translated
    def head(self) -> Head | None:
        document = self._state.find_one({"_id": _HEAD})
        return None if document is None else _head(document)

    @_translated
    def acquire(
        self, *, holder: str, now_ms: int, ttl_ms: int, takeover: bool, gone: Collection[str] = ()
    ) -> Head:
        lease = {"holder": holder, "expires_ms": now_ms + ttl_ms}
        for _ in range(_ACQUIRE_ATTEMPTS):
            document = self._state.find_one({"_id": _HEAD})
            if document is None:
                self._create_head(lease)
                continue
            head = _head(document)
            if not (takeover or head.holder in {holder, *gone} or document["expires_ms"] <= now_ms):
                raise LeaseHeld
            token = head.token + 1
            changed = self._state.update_one(_is(head), {"$set": {**lease, "token": token}})
            if changed.matched_count:
                return Head(head.size, head.root, token, holder)
        raise LeaseHeld

    @_translated
    def renew(self, head: Head, *, expires_ms: int) -> None:
        if not self._state.update_one(_is(head), {"$set": {"expires_ms": expires_ms}}).matched_count:
            raise AuditFenced

    @_translated
    def release(self, head: Head) -> None:
        self._state.update_one({"_id": _HEAD, "token": head.token}, {"$set": {"expires_ms": 0}})

    @_translated
    def commit(self, head: Head, bundle: Bundle, *, expires_ms: int) -> Head:
        if bundle.first != head.size or bundle.token != head.token:
            raise AuditFenced
        part = Part(len(bundle.leaves), new_records_name(bundle))
        document = document_of(replace(bundle, parts=(part,)))
        self._bodies.insert_one({"_id": part.records, "bodies": cbor2.dumps(bundle.bodies)})
        try:
            self._bundles.insert_one(document)
        except DuplicateKeyError:
            self._replace_orphan(head, document)
        change = {"size": bundle.end, "root": bundle.root.hex(), "expires_ms": expires_ms}
        if not self._state.update_one(_is(head), {"$set": change}).matched_count:
            raise AuditFenced
        return Head(bundle.end, bundle.root, head.token, head.holder)

    @_translated
    def bundles(self, *, whole: bool = True) -> Iterator[Bundle]:
        return self._read_bundles() if whole else self._read_leaves()

    @_translated
    def bundles_at(self, firsts: Sequence[int]) -> dict[int, Bundle]:
        bundles = (bundle_of(document) for document in self._documents_at(firsts))
        return {bundle.first: bundle for bundle in bundles}

    @_translated
    def bundle_with(self, index: int, *, whole: bool = True) -> Bundle | None:
        found = self._document_with(index)
        if found is None:
            return None
        if whole:
            return next(self._whole([found]))
        return bundle_of(found, hashed=False)

    @_translated
    def entries(self, hints: Mapping[int, int]) -> dict[int, StoredEntry]:
        opened = {
            document.first: document
            for document in map(OpenDocument.read, self._documents_at(list(hints.values())))
        }
        holding: dict[int, OpenDocument] = {}
        for index, first in hints.items():
            document = opened.get(first)
            if document is None or not document.holds(index):
                moved = self._document_with(index)
                document = None if moved is None else OpenDocument.read(moved)
            if document is not None:
                holding[index] = document
        parts = {index: document.part(index) for index, document in holding.items()}
        packed = self._records(part.records for part, _ in parts.values())
        records: dict[Part, Sequence[bytes]] = {}
        found: dict[int, StoredEntry] = {}
        for index, document in holding.items():
            part, place = parts[index]
            if part not in records:
                records[part] = records_of(part, packed, document.name)
            found[index] = StoredEntry(LogIndex(index), document.leaf(index), records[part][place])
        return found

    @_translated
    def merge(self, token: int, before: Bundle, merged: Bundle) -> None:
        self._require_lease(token)
        document = document_of(merged)
        del document["_id"]
        if not self._merged.update_one(is_as_stored(before), {"$set": document}).matched_count:
            raise LogDamaged(f"the bundle at {before.first} is not the one that was read")

    @_translated
    def discard(self, token: int, first: int) -> None:
        stored = self._merged.find_one({"_id": key_of(first)})
        if stored is None:
            return
        merged = bundle_of(stored)
        beside = self.bundles_at(part_firsts(merged)[1:])
        parts = [part for part in beside.values() if is_part(part, merged)]
        if parts:
            self._require_lease(token)
            # Documents are made at the end of the log only: what was read there cannot be another by now.
            self._merged.delete_many({"_id": {"$in": [key_of(part.first) for part in parts]}})

    @_translated
    def save_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        document = _checkpoint_document(checkpoint)
        key = key_of(checkpoint.size)
        try:
            self._checkpoints.insert_one({"_id": key, **document})
        except DuplicateKeyError:
            if checkpoint.anchor is not None:
                anchor = {"$set": {"anchor": document["anchor"]}}
                self._checkpoints.update_one({"_id": key}, anchor)
                self._state.update_one({"_id": _COSIGNED, "size": checkpoint.size}, anchor)
            stored = self._checkpoints.find_one({"_id": key}, {"_id": 0})
            document = stored or document  # the stored note may have been cosigned meanwhile
        for anchored, name in _NEWEST.items():
            if checkpoint.anchor is not None or not anchored:
                self._point_to(name, document)

    @_translated
    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        return map(_checkpoint, list(self._checkpoints.find({}).sort("_id", 1)))

    @_translated
    def newest_checkpoint(self, *, anchored: bool) -> StoredCheckpoint | None:
        document = self._state.find_one({"_id": _NEWEST[anchored]})
        return None if document is None else _checkpoint(document)

    @_translated
    def checkpoint(self, size: int) -> StoredCheckpoint | None:
        document = self._checkpoints.find_one({"_id": key_of(size)})
        return None if document is None else _checkpoint(document)

    @_translated
    def cosign(self, checkpoint: StoredCheckpoint, note: str, *, best: bool) -> bool:
        of = {"_id": key_of(checkpoint.size), "note": checkpoint.note}
        if not self._checkpoints.update_one(of, {"$set": {"note": note}}).matched_count:
            return False
        for name in (*_NEWEST.values(), _COSIGNED):
            self._state.update_one({"_id": name, "size": checkpoint.size}, {"$set": {"note": note}})
        if best:
            self._point_to(_COSIGNED, {**_checkpoint_document(checkpoint), "note": note})
        return True

    @_translated
    def most_cosigned(self) -> StoredCheckpoint | None:
        document = self._state.find_one({"_id": _COSIGNED})
        return None if document is None else _checkpoint(document)

    def _create_head(self, lease: Document) -> None:
        """Insert the head of an empty log; a lost race is no error."""
        if self._bundles.find_one({}, {"_id": 1}) or self._checkpoints.find_one({}, {"_id": 1}):
            raise LogDamaged("there are entries, but the log's head is missing")
        empty = {"_id": _HEAD, "size": 0, "root": EMPTY_ROOT.hex(), "token": 0}
        try:
            self._state.insert_one({**empty, **lease})
        except DuplicateKeyError:
            return

    def _point_to(self, name: str, document: Document) -> None:
        """Make this the newest checkpoint, unless a newer one is."""
        not_newer = {"_id": name, "size": {"$lte": document["size"]}}
        try:
            self._state.update_one(not_newer, {"$set": document}, upsert=True)
        except DuplicateKeyError:
            return

    def _require_lease(self, token: int) -> None:
        """Raise AuditFenced unless the current lease has this token."""
        stored = self._state.find_one({"_id": _HEAD})
        if stored is None or _head(stored).token != token:
            raise AuditFenced

    def _replace_orphan(self, head: Head, document: Document) -> None:
        """Put ``document`` in the place of a bundle that was never committed.

        A fenced writer must not delete what its successor committed. It cannot: the successor's bundle
        carries a higher token, and once such a bundle is seen here the head is seen to have moved too.
        """
        there = self._bundles.find_one({"_id": document["_id"]}, {"token": 1, "bodies": 1})
        stored = self._state.find_one({"_id": _HEAD})
        if stored is None or _head(stored) != head:
            raise AuditFenced
        if there is not None:
            if there["token"] >= head.token:
                raise AuditFenced
            self._bundles.delete_one({"_id": document["_id"], "token": there["token"]})
            self._bodies.delete_one({"_id": there["bodies"]})
        try:
            self._bundles.insert_one(document)
        except DuplicateKeyError as error:
            raise AuditFenced from error

    def _read_bundles(self) -> Iterator[Bundle]:
        try:
            documents = self._bundles.find({}).sort("_id", 1)
            while some := list(islice(documents, _READ_AT_ONCE)):
                yield from self._whole(some)
        except PyMongoError as error:
            raise AuditUnavailable from error

    def _read_leaves(self) -> Iterator[Bundle]:
        try:
            for document in self._bundles.find({}, {"hashes": 0}).sort("_id", 1):
                yield bundle_of(document, hashed=False)
        except PyMongoError as error:
            raise AuditUnavailable from error

    def _documents_at(self, firsts: Sequence[int]) -> list[Document]:
        wanted = [key_of(first) for first in sorted(set(firsts))]
        if len(wanted) == 1:
            document = self._bundles.find_one({"_id": wanted[0]})
            return [] if document is None else [document]
        return list(self._bundles.find({"_id": {"$in": wanted}})) if wanted else []

    def _document_with(self, index: int) -> Document | None:
        """Look for the bundle that holds an entry among those that may: the nearest may be a part that does
        not reach so far, while a merge removes parts."""
        # By name: nx-27017 reads the whole collection for a range.
        near = [key_of(first) for first in range(max(0, index - MAX_BUNDLE_ENTRIES + 1), index + 1)]
        found = list(self._bundles.find({"_id": {"$in": near}}))
        for document in sorted(found, key=itemgetter("_id"), reverse=True):
            if OpenDocument.read(document).holds(index):
                return document
        return None

    def _whole(self, documents: Sequence[Document]) -> Iterator[Bundle]:
        """Read bundles with their encrypted records."""
        bundles = [bundle_of(document) for document in documents]
        records = self._records(part.records for bundle in bundles for part in bundle.parts)
        for bundle in bundles:
            yield with_records(bundle, records)

    def _records(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the packed encrypted records of commits by their names; missing ones are left out."""
        wanted = sorted(set(names))
        found: dict[str, bytes] = {}
        for start in range(0, len(wanted), _NAMES_AT_ONCE):
            some = {"_id": {"$in": wanted[start : start + _NAMES_AT_ONCE]}}
            found.update({document["_id"]: document["bodies"] for document in self._bodies.find(some)})
        return found


def _is(head: Head) -> Document:
    """The comparison of compare-and-swap: size, root and fencing token.

    The root is hex there, because nx-27017 finds no document by a binary value.
    """
    return {"_id": _HEAD, "size": head.size, "root": head.root.hex(), "token": head.token}


@parser
def _head(document: Document) -> Head:
    return Head(document["size"], bytes.fromhex(document["root"]), document["token"], document["holder"])


def _checkpoint_document(checkpoint: StoredCheckpoint) -> Document:
    anchor = checkpoint.anchor
    return {
        "size": checkpoint.size,
        "root": checkpoint.root,
        "note": checkpoint.note,
        "signed_at": checkpoint.signed_at,
        "anchor": None
        if anchor is None
        else {
            "chain_id": str(anchor.chain_id),  # may exceed 64 bits
            "contract": anchor.contract,
            "log_id": anchor.log_id,
            "block": anchor.block,
            "transaction": anchor.transaction,
        },
    }


@parser
def _checkpoint(document: Document) -> StoredCheckpoint:
    size, root, anchor = document["size"], bytes(document["root"]), document["anchor"]
    record = None
    if anchor is not None:
        transaction = anchor["transaction"]
        record = AnchorRecord(
            size=size,
            root=root,
            chain_id=int(anchor["chain_id"]),
            contract=Address(anchor["contract"]),
            log_id=bytes(anchor["log_id"]),
            block=BlockNumber(anchor["block"]),
            transaction=None if transaction is None else bytes(transaction),
        )
    return StoredCheckpoint(size, root, document["note"], document["signed_at"], record)
