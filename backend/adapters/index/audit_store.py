"""The audit log's store on MongoDB (or nx-27017): bundles, head and checkpoints.

A commit is three writes: the encrypted records are inserted, then the bundle that names them, then the head
is compared and swapped with majority and journal. All go to one server, whose journal and replication keep
their order, so the durable head implies the durable bundle; only the last pays for a sync. A bundle at the
head's size whose head was never swapped is an orphan: nobody was told of it, and the next commit replaces it.

The records lie apart because they are five sixths of a bundle and start-up, which reads every leaf, needs
none of them: a server reads a document as a whole, whatever is asked of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import wraps
from itertools import islice
from typing import Any, ParamSpec, TypeVar

import cbor2
from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from backend.adapters.index.failures import parser
from backend.audit.errors import AuditFenced, AuditUnavailable, LeaseHeld, LogDamaged
from backend.audit.merkle import EMPTY_ROOT, HASH_BYTES
from backend.audit.types import MAX_BUNDLE_ENTRIES, AnchorRecord, Bundle, Head, StoredCheckpoint
from backend.types import Address, BlockNumber, LogIndex

Document = dict[str, Any]
P = ParamSpec("P")
R = TypeVar("R")

_HEAD = "head"
_NEWEST = {False: "newest", True: "newest_anchored"}
_COSIGNED = "most_cosigned"
_ACQUIRE_ATTEMPTS = 20
_READ_AT_ONCE = 16


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
        document = _bundle_document(bundle)
        self._bodies.insert_one({"_id": document["bodies"], "bodies": cbor2.dumps(bundle.bodies)})
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
        wanted = [_key(first) for first in sorted(set(firsts))]
        if len(wanted) == 1:
            document = self._bundles.find_one({"_id": wanted[0]})
            found = [] if document is None else [document]
        else:
            found = list(self._bundles.find({"_id": {"$in": wanted}}))
        return {bundle.first: bundle for bundle in self._whole(found)}

    @_translated
    def save_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        document = _checkpoint_document(checkpoint)
        key = _key(checkpoint.size)
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
        document = self._checkpoints.find_one({"_id": _key(size)})
        return None if document is None else _checkpoint(document)

    @_translated
    def cosign(self, checkpoint: StoredCheckpoint, note: str, *, best: bool) -> bool:
        of = {"_id": _key(checkpoint.size), "note": checkpoint.note}
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
                yield _bundle(document)
        except PyMongoError as error:
            raise AuditUnavailable from error

    def _whole(self, documents: Sequence[Document]) -> Iterator[Bundle]:
        """Read bundles with their encrypted records."""
        names = [document.get("bodies") for document in documents]
        bodies = {found["_id"]: found for found in self._bodies.find({"_id": {"$in": names}})}
        for document in documents:
            yield _bundle(document, bodies.get(document.get("bodies"), {}))


def _key(number: int) -> str:
    """Write a number so that text order is its order: nx-27017 sorts ``_id`` as text."""
    return f"{number:015d}"


def _is(head: Head) -> Document:
    """The comparison of compare-and-swap: size, root and fencing token.

    The root is hex there, because nx-27017 finds no document by a binary value.
    """
    return {"_id": _HEAD, "size": head.size, "root": head.root.hex(), "token": head.token}


@parser
def _head(document: Document) -> Head:
    return Head(document["size"], bytes.fromhex(document["root"]), document["token"], document["holder"])


def _bundle_document(bundle: Bundle) -> Document:
    # Packed into one binary value each: a server that stores a document as a tree pays for every element.
    return {
        "_id": _key(bundle.first),
        "v": 1,
        "token": bundle.token,
        "leaves": cbor2.dumps(bundle.leaves),
        "bodies": f"{_key(bundle.first)}/{secrets.token_hex(4)}",  # a fenced writer's are never another's
        "hashes": b"".join(bundle.hashes),
        "acts": cbor2.dumps(bundle.acts) if any(bundle.acts) else b"",
        "root": bundle.root,
    }


def _bundle(document: Document, beside: Document | None = None) -> Bundle:
    """Read a bundle, whole if the document with its encrypted records is there.

    Raises LogDamaged, naming it, when they are not one.
    """
    try:
        leaves = _byte_strings(document["leaves"])
        acts = _byte_strings(document["acts"]) if document["acts"] else (b"",) * len(leaves)
        bodies: tuple[bytes, ...] = ()
        hashes: tuple[bytes, ...] = ()
        if beside is not None:
            bodies, hashes = _byte_strings(beside["bodies"]), _cut(document["hashes"], HASH_BYTES)
        lengths = {len(leaves), len(acts)} | ({len(bodies), len(hashes)} if beside is not None else set())
        if len(lengths) != 1 or len(leaves) > MAX_BUNDLE_ENTRIES:
            raise ValueError("unequal lengths")
        return Bundle(
            first=LogIndex(int(document["_id"], 10)),
            token=int(document["token"]),
            leaves=leaves,
            bodies=bodies,
            hashes=hashes,
            acts=acts,
            root=bytes(document["root"]),
        )
    except (KeyError, ValueError, TypeError, cbor2.CBORDecodeError) as error:
        raise LogDamaged(f"the bundle at {document.get('_id')} cannot be read") from error


def _byte_strings(packed: bytes) -> tuple[bytes, ...]:
    values = cbor2.loads(packed)
    if not isinstance(values, (list, tuple)) or not all(isinstance(v, bytes) for v in values):
        raise ValueError("not a list of byte strings")
    return tuple(values)


def _cut(packed: bytes, width: int) -> tuple[bytes, ...]:
    if len(packed) % width:
        raise ValueError("cut off")
    return tuple(bytes(packed[i : i + width]) for i in range(0, len(packed), width))


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
