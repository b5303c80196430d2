"""The audit store on a real MongoDB-wire server, and the whole log over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from pymongo.database import Database

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.server import connect
from backend.audit.errors import AuditFenced, AuditUnavailable, LogDamaged
from backend.audit.log import AuditLog
from backend.audit.ports import AuditStore
from backend.audit.proof import ProofBuilder
from backend.audit.state import LogState
from backend.audit.types import Bundle, Head
from backend.audit.verify import VerificationError, verify_bundle
from tests.support.audit_store_suite import NOW, AuditStoreSuite, bundle_on, take
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, read_event

Documents = Database[dict[str, Any]]


class TestMongoAuditStore(AuditStoreSuite):
    @pytest.fixture
    def store(self, mongo: Documents) -> AuditStore:
        self.database = mongo
        return MongoAuditStore(mongo)

    def drop_head(self, store: AuditStore) -> None:
        self.database["audit_state"].delete_one({"_id": "head"})

    def swap_leaf(self, store: AuditStore, first: int, leaf: bytes) -> None:
        changes = {"$set": {"leaves": cbor2.dumps([leaf])}}
        assert self.database["audit_bundles"].update_one({"_id": f"{first:015d}"}, changes).modified_count

    def test_orphan_of_a_crash_is_replaced(self, store: AuditStore) -> None:
        before = take(store)
        orphan = bundle_on(LogState(), before, entries=5)
        self._insert_only(store, before, orphan)
        head = take(store)
        bundle = bundle_on(LogState(), head)
        assert store.commit(head, bundle, expires_ms=NOW).size == 3
        assert list(store.bundles()) == [bundle]
        assert self.database["audit_bodies"].count_documents({}) == 1

    def test_fenced_writer_cannot_delete_what_its_successor_committed(self, store: AuditStore) -> None:
        old = take(store)
        new = take(store, "two", takeover=True)
        theirs = bundle_on(LogState(), new)
        store.commit(new, theirs, expires_ms=NOW)
        with pytest.raises(AuditFenced):
            store.commit(old, bundle_on(LogState(), old), expires_ms=NOW)
        assert list(store.bundles()) == [theirs]

    def test_successor_replaces_what_a_fenced_writer_left(self, store: AuditStore) -> None:
        old = take(store)
        new = take(store, "two", takeover=True)
        with pytest.raises(AuditFenced):
            store.commit(old, bundle_on(LogState(), old), expires_ms=NOW)
        bundle = bundle_on(LogState(), new)
        store.commit(new, bundle, expires_ms=NOW)
        assert list(store.bundles()) == [bundle]

    def test_head_that_moved_is_never_swapped_even_where_its_bundle_is_gone(self, store: AuditStore) -> None:
        head = take(store)
        moved = store.commit(head, bundle_on(LogState(), head), expires_ms=NOW)
        self.database["audit_bundles"].delete_one({"_id": "0" * 15})
        with pytest.raises(AuditFenced):
            store.commit(head, bundle_on(LogState(), head, entries=2), expires_ms=NOW)
        assert store.head() == moved

    def test_unreadable_bundle_is_named(self, store: AuditStore) -> None:
        head = take(store)
        store.commit(head, bundle_on(LogState(), head), expires_ms=NOW)
        for change in (
            {"leaves": b"\x00"},
            {"leaves": b"\x9f"},
            {"hashes": b"\x00" * 31},
            {"root": None},
            {"token": "x"},
        ):
            self.database["audit_bundles"].update_one({"_id": "0" * 15}, {"$set": change})
            with pytest.raises(LogDamaged, match="the bundle at 0"):
                list(store.bundles())

    @pytest.mark.parametrize("bodies", [b"\x80", b"\x81\x40", None])
    def test_bundle_without_its_records_is_named(self, store: AuditStore, bodies: bytes | None) -> None:
        head = take(store)
        store.commit(head, bundle_on(LogState(), head), expires_ms=NOW)
        if bodies is None:
            self.database["audit_bodies"].delete_many({})
        else:
            self.database["audit_bodies"].update_one({}, {"$set": {"bodies": bodies}})
        with pytest.raises(LogDamaged, match="the bundle at 0"):
            list(store.bundles())
        with pytest.raises(LogDamaged, match="the bundle at 0"):
            store.entries({0: 0})

    def _insert_only(self, store: AuditStore, head: Head, bundle: Bundle) -> None:
        """Stop between the two writes of a commit."""
        assert isinstance(store, MongoAuditStore)
        real = store._state

        class Crash:
            def update_one(self, *_: object, **__: object) -> None:
                raise AuditUnavailable

        store._state = Crash()  # type: ignore[assignment]
        with pytest.raises(AuditUnavailable):
            store.commit(head, bundle, expires_ms=NOW)
        store._state = real


def test_server_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    database = connect("mongodb://127.0.0.1:9/?directConnection=true", database="none", timeout_ms=100)
    store = MongoAuditStore(database)
    for call in (
        store.head,
        lambda: take(store),
        lambda: list(store.bundles()),
        lambda: list(store.checkpoints()),
    ):
        with pytest.raises(AuditUnavailable):
            call()
    database.client.close()


@pytest.fixture
def on_server(mongo: Documents) -> Iterator[World]:
    world = World(store=MongoAuditStore(mongo))  # type: ignore[arg-type]
    yield world
    for log in world.opened:
        log.close()


def fsck(world: World) -> list[tuple[str, str]]:
    report = world.fsck()
    return [(f.code, f.where) for f in report.findings]


def fill(world: World) -> AuditLog:
    log = world.open()
    for number in range(8):
        log.append(read_event(ANNA if number % 2 else BERTA, number=number))
    world.anchorer(log).run_once()
    return log


def test_log_restarts_lists_proves_and_checks_over_the_server(on_server: World) -> None:
    log = fill(on_server)
    log.close()
    log = on_server.open()
    assert log.append(read_event(number=9)).index == 8
    page = on_server.access(log).page(ANNA, before=None, limit=3)
    assert [e.index for e in page.entries] == [8, 7, 5]
    assert page.entries[0].event == read_event(number=9)
    proofs: ProofBuilder = on_server.proofs(log)
    report = verify_bundle(proofs.access_list(ANNA), [on_server.signer.verifier_key])
    assert report["complete"] is True
    assert fsck(on_server) == []


@pytest.mark.parametrize(
    ("field", "expected"),
    [("leaves", ("leaf_changed", "entry 3")), ("bodies", ("record_damaged", "entry 3"))],
)
def test_flipped_bit_in_the_database_is_found_refused_and_named(
    on_server: World, mongo: Documents, field: str, expected: tuple[str, str]
) -> None:
    log = fill(on_server)
    document = mongo["audit_bundles"].find_one({"_id": f"{3:015d}"})
    assert document is not None
    collection = mongo["audit_bundles"]
    if field == "bodies":
        collection = mongo["audit_bodies"]
        document = collection.find_one({"_id": document["bodies"]})
        assert document is not None
    changed = bytearray(document[field])
    changed[70] ^= 1
    collection.update_one({"_id": document["_id"]}, {"$set": {field: bytes(changed)}})
    assert on_server.access(log).page(ANNA, before=None, limit=9).entries[2].event is None
    assert fsck(on_server) == [expected]
    log.close()
    if field == "leaves":
        with pytest.raises(LogDamaged):
            on_server.open()


def test_flipped_bit_in_a_stored_checkpoint_is_found_and_refused(on_server: World, mongo: Documents) -> None:
    log = fill(on_server)
    root = log.state.tree.root()
    changed = root[:-1] + bytes([root[-1] ^ 1])
    for name in ("audit_checkpoints", "audit_state"):
        mongo[name].update_many({"size": 8, "note": {"$exists": True}}, {"$set": {"root": changed}})
    assert fsck(on_server) == [("checkpoint_changed", "checkpoint 8")]
    log.close()
    with pytest.raises(Exception, match="another root"):
        on_server.open()


def test_bundle_changed_after_it_was_handed_out_does_not_verify(on_server: World) -> None:
    log = fill(on_server)
    bundle = on_server.proofs(log).access_list(ANNA)
    bundle["entries"][1]["proof"].pop()
    with pytest.raises(VerificationError):
        verify_bundle(bundle, [on_server.signer.verifier_key])
