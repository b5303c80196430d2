"""Opens the audit log, with what signs, anchors and reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.log_key_store import MongoLogKeyStore
from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.audit.anchorer import Anchorer
from backend.audit.checkpointer import Checkpointer
from backend.audit.cosigning import Cosigning
from backend.audit.log import AuditLog
from backend.audit.log_keys import LogKeyBook, LogKeyRing
from backend.audit.merging import BundleMerger
from backend.audit.publishing import LogFiles
from backend.audit.reader import LogReader
from backend.audit.sequencer import new_holder
from backend.audit.startup import check_signatures
from backend.backup.daily import DailyBackup
from backend.backup_wiring import NoBackups, open_backups
from backend.settings import Settings
from backend.stores import Stores


@dataclass(frozen=True, slots=True)
class OpenLog:
    log: AuditLog
    keys: LogKeyRing
    checkpointer: Checkpointer
    anchorer: Anchorer
    reader: LogReader
    backups: DailyBackup | NoBackups
    files: LogFiles
    merger: BundleMerger
    cosigning: Cosigning
    audit_keys: StoredAuditKeys


def log_key_book(stores: Stores, *, clock: Callable[[], int]) -> LogKeyBook:
    return LogKeyBook(
        origin=stores.origin, keys=stores.keys, store=MongoLogKeyStore(stores.database), clock=clock
    )


def open_log_keys(stores: Stores, *, clock: Callable[[], int]) -> LogKeyRing:
    """Return the log's keys, made at the very first start. Raises LogKeysDamaged."""
    in_use = MongoAuditStore(stores.database).newest_checkpoint(anchored=False) is not None
    return log_key_book(stores, clock=clock).open(in_use=in_use)


def open_log(settings: Settings, stores: Stores, closing: ExitStack, *, clock: Callable[[], int]) -> OpenLog:
    """Start the log; ``closing`` closes it. Raises what a damaged or rolled back log raises."""
    store = MongoAuditStore(stores.database)
    keys = StoredAuditKeys(stores.keys)
    holder = new_holder()
    log = AuditLog(
        store=store,
        keys=keys,
        anchor=stores.anchor,
        origin=stores.origin,
        clock_ms=lambda: time.time_ns() // 1_000_000,
        # The lock on the data directory keeps a second process out, so an old lease is a dead one's.
        takeover=settings.index_uri is None,
        # An index elsewhere may be reached with a copy of the directory, whose lock is another one.
        holder=holder,
        gone=stores.directory.succeed(holder),
    )
    log.start()
    closing.callback(log.close)
    ring = open_log_keys(stores, clock=clock)
    check_signatures(store, origin=stores.origin, verifiers=ring.verifiers())
    checkpointer = Checkpointer(log=log, store=store, signers=ring.signers, clock=clock)
    merging = threading.Lock()
    merger = BundleMerger(log=log, store=store, alone=merging)
    backups = open_backups(settings, stores, log=log, clock=clock, merging=merging)
    anchorer = Anchorer(
        log=log,
        checkpointer=checkpointer,
        anchor=stores.anchor,
        clock=clock,
        interval_seconds=settings.anchor_interval_seconds,
        before=backups.ship,
    )
    reader = LogReader(log=log, store=store, keys=keys)
    cosigning = Cosigning(store=store, origin=stores.origin, witnesses=read_witness_keys(settings))
    files = LogFiles(reader)
    return OpenLog(log, ring, checkpointer, anchorer, reader, backups, files, merger, cosigning, keys)


def read_witness_keys(settings: Settings) -> list[str]:
    """Return the keys in the file of witnesses: one a line, empty lines and those after # left out."""
    if settings.witness_keys is None:
        return []
    lines = (line.strip() for line in settings.witness_keys.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]
