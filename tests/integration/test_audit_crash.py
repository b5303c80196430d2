"""``kill -9`` of the writer and of the index: what was acknowledged is there, exactly once."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.server import EmbeddedIndex, connect
from backend.audit.errors import AuditUnavailable
from backend.audit.log import AuditLog
from backend.audit.merkle import leaf_hash
from backend.audit.reader import LogReader
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, read_event

ROOT = Path(__file__).parents[2]
Acknowledged = dict[int, tuple[int, str]]


def run_and_kill(uri: str, database: str, start: int, after_seconds: float) -> Acknowledged:
    """Let a writer run, kill it with SIGKILL, and return what it had acknowledged."""
    command = [sys.executable, "-m", "tests.integration.audit_writer", uri, database, str(start)]
    writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    first = writer.stdout.readline()  # it is at work
    timer = threading.Timer(after_seconds, writer.kill)
    timer.start()
    lines = [first, *writer.stdout]
    assert writer.wait(timeout=20) == -signal.SIGKILL
    timer.join()
    writer.stdout.close()
    acknowledged: Acknowledged = {}
    for line in lines:
        if line.endswith("\n"):
            number, index, hashed = line.split()
            acknowledged[int(number)] = (int(index), hashed)
    return acknowledged


def entries_by_number(world: World, log: AuditLog) -> dict[int, list[tuple[int, str]]]:
    reader = LogReader(log=log, store=world.store, keys=world.keys)
    found: dict[int, list[tuple[int, str]]] = {}
    for chain in itertools.chain(reader.chains(ANNA), reader.chains(BERTA)):
        for entry in reader.entries(chain.indexes):
            number = int.from_bytes(reader.event(entry, chain).records[0], "big")
            found.setdefault(number, []).append((entry.index, leaf_hash(entry.leaf).hex()))
    return found


def check_sound(world: World) -> None:
    report = world.fsck()
    assert report.findings == ()
    assert report.opened == report.entries


def test_killed_writer_loses_and_repeats_nothing(
    mongo: Database[dict[str, Any]], index_server: EmbeddedIndex
) -> None:
    acknowledged: Acknowledged = {}
    for round_number, delay in enumerate((0.0, 0.05, 0.2, 0.31, 0.4)):
        # each round repeats acts of the one before, as the outbox does after a crash
        start = max(0, len(acknowledged) - 5) if round_number else 0
        answered = run_and_kill(index_server.uri, mongo.name, start, delay)
        for number, place in answered.items():
            assert acknowledged.setdefault(number, place) == place
    world = World(store=MongoAuditStore(mongo))  # type: ignore[arg-type]
    log = world.open(takeover=True)
    found = entries_by_number(world, log)
    assert all(len(places) == 1 for places in found.values())
    for number, place in acknowledged.items():
        assert found[number] == [place]
    assert len(acknowledged) > 10
    check_sound(world)
    log.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_killed_index_loses_and_repeats_nothing(tmp_path: Path) -> None:
    server = EmbeddedIndex(tmp_path / "index")
    server.start()
    database = connect(server.uri, database="crash", timeout_ms=2_000)
    world = World(store=MongoAuditStore(database))  # type: ignore[arg-type]
    log = world.open(settle_seconds=5)
    acknowledged: Acknowledged = {}
    refused: list[int] = []
    stop = threading.Event()

    def work(thread: int) -> None:
        for number in itertools.count(thread, 4):
            if stop.is_set():
                return
            try:
                entry = log.append(read_event((ANNA, BERTA)[number % 2], number=number))
                acknowledged[number] = (entry.index, entry.leaf_hash.hex())
            except AuditUnavailable:
                refused.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    try:
        for thread in threads:
            thread.start()
        for _ in range(4):
            time.sleep(0.3)
            killed = server.process_id
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            while server.process_id == killed:  # it may take a moment to die
                time.sleep(0.05)
                server.ensure_running()
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
        found = entries_by_number(world, log)
        assert all(len(places) == 1 for places in found.values())
        for number, place in acknowledged.items():
            assert found[number] == [place]
        assert len(acknowledged) > 10
        log.close()
        check_sound(world)
    finally:
        stop.set()
        log.close()
        database.client.close()
        server.stop()
