"""The audit log: durable appends by many clients, and a log of a million entries."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import uvloop
from pymongo.database import Database

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.server import EmbeddedIndex, connect
from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.root import KeyFile
from backend.api.prompt import PromptLog
from backend.audit import codes
from backend.audit.entry import Action, Agent, AuditEvent, Outcome
from backend.audit.leaf import FIRST_PREVIOUS, Leaf
from backend.audit.log import AuditLog
from backend.audit.merkle import CompactRange, leaf_hash, verify_inclusion
from backend.audit.startup import rebuild
from backend.audit.state import LogState
from backend.audit.types import MAX_BUNDLE_ENTRIES, Bundle
from backend.types import BlockNumber, ConsentId, LogIndex, MemberId, QueuePosition, RecordId, SubjectId
from bench.results import Result, at_least, at_most, ratio_at_least

CLIENTS: Final = 256
ENTRIES_EACH: Final = 40
ONE_BY_ONE: Final = 500
ROUNDS: Final = 3
GOAL_OF_GROUPS: Final = 20
LEAVES: Final = 1_000_000
PROOFS: Final = 20_000
GOAL_PROOFS: Final = 10_000
GOAL_START_SECONDS: Final = 5
_PATIENTS: Final = 10_000
_BODY_BYTES: Final = 561  # of a sealed read
_ORIGIN: Final = "bench.example/audit"
_LEASE_MS: Final = 60_000


def measure(directory: Path) -> list[Result]:
    """On an embedded index of its own, with the key store in files, as the service has them."""
    index = EmbeddedIndex(directory / "log-index")
    index.start()
    try:
        appends = _appends(connect(index.uri, database="appends"), directory / "log-keys")
        return [*appends, *_million(connect(index.uri, database="million", timeout_ms=30_000))]
    finally:
        index.stop()


def _appends(database: Database[dict[str, Any]], directory: Path) -> list[Result]:
    """One client that waits for each entry, then 256 of them: on an event loop, as requests are."""
    keys = EmbeddedKeyStore(directory, KeyFile.create(directory.with_suffix(".key")))
    log = AuditLog(
        store=MongoAuditStore(database),
        keys=StoredAuditKeys(keys),
        anchor=None,
        origin=_ORIGIN,
        clock_ms=lambda: time.time_ns() // 1_000_000,
    )
    log.start()
    gc.collect()
    gc.freeze()  # as a service does once it has started
    try:
        events = [
            _read(SubjectId(1 + number % _PATIENTS), number) for number in range(CLIENTS * ENTRIES_EACH)
        ]
        _append_all(log, events, clients=CLIENTS)  # audit keys are made on first use
        alone, together = [], []
        for _ in range(ROUNDS):
            alone.append(ONE_BY_ONE / _seconds(lambda: _append_all(log, events[:ONE_BY_ONE], clients=1)))
            together.append(len(events) / _seconds(lambda: _append_all(log, events, clients=CLIENTS)))
    finally:
        gc.unfreeze()  # what comes after in this process is not a service's
        log.close()
        keys.close()
    return [
        ratio_at_least(
            f"durable audit append, {CLIENTS} clients, against one by one",
            statistics.median(together),
            "1/s",
            reference=statistics.median(alone),
            limit=GOAL_OF_GROUPS,
        )
    ]


def _append_all(log: AuditLog, events: Sequence[AuditEvent], *, clients: int) -> None:
    async def work() -> None:
        prompt = PromptLog(log)

        async def client(share: Sequence[AuditEvent]) -> None:
            for event in share:
                await prompt.append(event)

        await asyncio.gather(*(client(events[number::clients]) for number in range(clients)))

    uvloop.run(work())


def _million(database: Database[dict[str, Any]]) -> list[Result]:
    store = MongoAuditStore(database)
    head = store.acquire(holder="benchmark", now_ms=_now_ms(), ttl_ms=_LEASE_MS, takeover=False)
    for bundle in _bundles(head.token):
        head = store.commit(head, bundle, expires_ms=_now_ms() + _LEASE_MS)
    states: list[LogState] = []
    seconds = _seconds(lambda: states.append(rebuild(store, head)))
    tree = states[0].tree
    drawn = random.Random(1)
    indexes = [drawn.randrange(LEAVES) for _ in range(PROOFS)]
    root = tree.root()
    for index in indexes[:100]:
        verify_inclusion(tree.leaf(index), index, LEAVES, tree.inclusion_proof(index, LEAVES), root)
    rate = PROOFS / _seconds(lambda: [tree.inclusion_proof(index, LEAVES) for index in indexes])
    name = f"log of {LEAVES:,} entries"
    return [
        at_least(f"{name}: inclusion proofs", rate, "1/s", GOAL_PROOFS),
        at_most(f"{name}: start-up check", seconds, "s", GOAL_START_SECONDS),
    ]


def _bundles(token: int) -> Iterator[Bundle]:
    """A log of reads about 10,000 patients, in full bundles; commitments and bodies are random."""
    compact = CompactRange()
    ends = dict.fromkeys(range(_PATIENTS), (0, FIRST_PREVIOUS))
    names = [os.urandom(32) for _ in range(_PATIENTS)]
    drawn = random.Random(2)
    for first in range(0, LEAVES, MAX_BUNDLE_ENTRIES):
        leaves, hashes = [], []
        for _ in range(min(MAX_BUNDLE_ENTRIES, LEAVES - first)):
            patient = drawn.randrange(_PATIENTS)
            sequence, previous = ends[patient]
            leaves.append(Leaf(names[patient], sequence, previous, 10**12 + first, os.urandom(32)).encode())
            hashes.append(leaf_hash(leaves[-1]))
            compact.append(hashes[-1])
            ends[patient] = (sequence + 1, hashes[-1])
        yield Bundle(
            first=LogIndex(first),
            token=token,
            leaves=tuple(leaves),
            bodies=tuple(os.urandom(_BODY_BYTES) for _ in leaves),
            hashes=tuple(hashes),
            acts=(b"",) * len(leaves),
            root=compact.root(),
        )


def _read(subject: SubjectId, number: int) -> AuditEvent:
    clinic = MemberId(b"\x0c" * 32)
    return AuditEvent(
        type=codes.RECORD_READ,
        outcome=Outcome.PERMITTED,
        occurred_at_ms=_now_ms(),
        actor=Agent.member(clinic),
        organisation=clinic,
        subject=subject,
        purpose="TREAT",
        action=Action.ACCESS,
        records=(RecordId(number.to_bytes(16, "big")),),
        segments=(b"s0000",),
        consents=(ConsentId(bytes(32)),),
        reasons=("permit_matched",),
        final_block=BlockNumber(100),
        head_block=BlockNumber(103),
        queue_position=QueuePosition(7),
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
