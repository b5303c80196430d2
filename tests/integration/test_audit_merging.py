"""Merged bundles on the embedded index: killed at each step, read and written beside, copied out and in."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.changes import IndexChanges
from backend.adapters.index.copying import MongoIndexCopy, MongoIndexLoad
from backend.adapters.index.server import EmbeddedIndex, connect
from backend.audit import merging
from backend.audit.fsck import Fsck
from backend.audit.log import AuditLog
from backend.audit.merging import BundleMerger
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, ORIGIN, read_event

ROOT = Path(__file__).parents[2]
Documents = Database[dict[str, Any]]
# Ends itself before or after a write of the first merge.
KILLED_AT = """
import os, signal, sys, threading
from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.server import connect
from backend.audit import merging
from tests.support.audit_world import World

merging.MAX_BUNDLE_ENTRIES = 16
uri, database, step, when = sys.argv[1:]
store = MongoAuditStore(connect(uri, database=database))
real = getattr(store, step)

def killed(*arguments):
    if when == "after":
        real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(store, step, killed)
log = World(store=store).open(takeover=True)
merging.BundleMerger(log=log, store=store, alone=threading.Lock()).run_once()
"""


@pytest.fixture
def world(mongo: Documents, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A log of 20 entries, one a commit, of a service that ended. A full bundle has 16 here."""
    monkeypatch.setattr(merging, "MAX_BUNDLE_ENTRIES", 16)
    made = World(store=MongoAuditStore(mongo))  # type: ignore[arg-type]
    fill(made.open(), 20)
    made.opened[-1].close()
    yield made
    for log in made.opened:
        log.close()


def fill(log: AuditLog, count: int) -> None:
    for number in range(log.state.size, log.state.size + count):
        log.append(read_event((ANNA, BERTA)[number % 2], number=number), act=number.to_bytes(16, "big"))


def merge(world: World) -> None:
    BundleMerger(log=world.opened[-1], store=world.store, alone=threading.Lock()).run_once()


def findings(world: World) -> list[tuple[str, str]]:
    report = world.fsck()
    assert report.opened == report.entries
    return [(found.code, found.where) for found in report.findings]


def firsts(database: Documents) -> list[int]:
    return sorted(int(row["_id"]) for row in database["audit_bundles"].find({}, {"_id": 1}))


def test_merged_log_is_the_same_log_in_fewer_documents(world: World, mongo: Documents) -> None:
    log = world.open()
    before, head = world.everything(), log.state.head()
    records = sorted(row["_id"] for row in mongo["audit_bodies"].find({}, {"_id": 1}))
    merge(world)
    assert firsts(mongo) == [0, 16]
    assert sorted(row["_id"] for row in mongo["audit_bodies"].find({}, {"_id": 1})) == records
    assert world.everything() == before
    assert findings(world) == []
    fill(log, 3)
    log.close()
    again = world.open()
    assert again.state.tree.root(20) == head[1]
    assert world.everything()[:20] == before
    page = world.access(again).page(ANNA, before=None, limit=2)
    assert [(e.index, e.event) for e in page.entries] == [
        (index, read_event(ANNA, number=index)) for index in (22, 20)
    ]
    fill(again, 1)
    merge(world)
    assert firsts(mongo) == [0, 16, 20, 23]
    assert findings(world) == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["merge", "discard"])
def test_merge_that_was_killed_is_finished_by_the_next_process(
    world: World, mongo: Documents, index_server: EmbeddedIndex, step: str, when: str
) -> None:
    command = [sys.executable, "-c", KILLED_AT, index_server.uri, mongo.name, step, when]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(firsts(mongo)) == (5 if (step, when) == ("discard", "after") else 20)
    assert findings(world) == []
    log = world.open(takeover=True)
    assert log.state.size == 20
    before = world.everything()
    merge(world)
    assert firsts(mongo) == [0, 16]
    assert world.everything() == before
    assert findings(world) == []


def test_readers_and_writers_beside_a_merge_notice_nothing(
    mongo: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MAX_BUNDLE_ENTRIES", 8)
    monkeypatch.setattr(merging, "_PAUSE_SECONDS", 0)
    world = World(store=MongoAuditStore(mongo))  # type: ignore[arg-type]
    log = world.open()
    fill(log, 16)
    ended, failures, read = threading.Event(), [], 0

    def look(seed: int) -> None:
        nonlocal read
        drawn, reader = random.Random(seed), world.reader(log)
        try:
            while not ended.is_set():
                size = log.state.size
                some = [drawn.randrange(size) for _ in range(20)]
                assert [entry.index for entry in reader.entries(some)] == some
                read += 1
        except Exception as failure:  # noqa: BLE001 - told by the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    ours = BundleMerger(log=log, store=world.store, alone=threading.Lock())
    for _ in range(8):
        fill(log, 8)
        ours.run_once()
    ended.set()
    for thread in threads:
        thread.join()
    log.close()
    assert failures == []
    assert read > 3
    assert firsts(mongo) == list(range(0, 80, 8))
    assert findings(world) == []


def test_copy_of_a_log_merged_or_half_merged_is_the_same_log(
    world: World, mongo: Documents, index_server: EmbeddedIndex
) -> None:
    log = world.open()
    before = world.everything()
    parts = [world.store.bundles_at(range(10))[first] for first in range(10)]
    world.store.merge(log.token, parts[0], merging.merged(parts))
    for number in range(2):  # half merged, then merged
        database = connect(index_server.uri, database=f"{mongo.name}-copy-{number}")
        copy, load = MongoIndexCopy(mongo), MongoIndexLoad(database)
        for collection in copy.collections():
            load.insert(collection, copy.documents(collection))
        load.cut_log()
        copied = World(store=MongoAuditStore(database), anchor=world.anchor)  # type: ignore[arg-type]
        copied.open(takeover=True)
        assert copied.everything() == before
        assert findings(copied) == []
        merge(copied)
        assert firsts(database) == [0, 16]
        copied.opened[-1].close()
        database.client.close()
        world.opened[-1].close()
        world.open()
        merge(world)
        assert firsts(mongo) == [0, 16]


def test_what_a_merge_wrote_and_removed_is_told_to_a_backup(
    world: World, mongo: Documents, index_server: EmbeddedIndex
) -> None:
    """A base of before, and the changes since: together they are the log of now."""
    changes = IndexChanges()
    watched = connect(index_server.uri, database=mongo.name, listeners=[changes])
    world.store = MongoAuditStore(watched)  # type: ignore[assignment]
    world.open()
    before = world.everything()
    other = connect(index_server.uri, database=f"{mongo.name}-restored")
    copy, load = MongoIndexCopy(mongo), MongoIndexLoad(other)
    for collection in copy.collections():
        load.insert(collection, copy.documents(collection))
    changes.take()
    merge(world)
    taken = changes.take()
    assert taken is not None
    for change in copy.changed(taken):
        assert not isinstance(change, str)  # never a whole collection
        collection, key, document = change
        if document is None:
            load.drop(collection, key)
        else:
            load.put(collection, document)
    load.cut_log()
    assert firsts(other) == firsts(mongo) == [0, 16]
    restored = World(store=MongoAuditStore(other), anchor=world.anchor)  # type: ignore[arg-type]
    restored.open(takeover=True)
    assert restored.everything() == before
    assert findings(restored) == []
    restored.opened[-1].close()
    watched.client.close()
    other.client.close()


@pytest.mark.parametrize(
    "change", [{"bodies": b"\x80"}, {"bodies": b"\x81\x01"}, {"entries": 9}, {"leaves": b"\x80"}]
)
def test_merged_bundle_that_cannot_be_read_is_named(
    world: World, mongo: Documents, change: dict[str, Any]
) -> None:
    world.open()
    merge(world)
    mongo["audit_bundles"].update_one({"_id": "0" * 15}, {"$set": change})
    fsck = Fsck(world.store, ORIGIN, None, world.anchor)
    (found, *_) = fsck.run().findings
    assert (found.code, found.where) == ("bundle_unreadable", "the bundle at 000000000000000 cannot be read")
