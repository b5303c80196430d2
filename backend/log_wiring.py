"""Opens the audit log, with what signs, anchors and reads it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.audit.anchorer import Anchorer
from backend.audit.checkpointer import Checkpointer
from backend.audit.log import AuditLog
from backend.audit.note import Ed25519Signer
from backend.audit.reader import LogReader
from backend.backup.keeping import BackupKeeper
from backend.backup_wiring import NoBackups, open_backups
from backend.settings import Settings
from backend.stores import Stores


@dataclass(frozen=True, slots=True)
class OpenLog:
    """``key`` verifies the checkpoints."""

    log: AuditLog
    key: str
    checkpointer: Checkpointer
    anchorer: Anchorer
    reader: LogReader
    backups: BackupKeeper | NoBackups


def open_log(settings: Settings, stores: Stores, closing: ExitStack, *, clock: Callable[[], int]) -> OpenLog:
    """Start the log; ``closing`` closes it. Raises what a damaged or rolled back log raises."""
    store = MongoAuditStore(stores.database)
    keys = StoredAuditKeys(stores.keys)
    log = AuditLog(
        store=store,
        keys=keys,
        anchor=stores.anchor,
        origin=stores.origin,
        clock_ms=lambda: time.time_ns() // 1_000_000,
        # The lock on the data directory keeps a second process out, so an old lease is a dead one's.
        takeover=settings.index_uri is None,
    )
    log.start()
    closing.callback(log.close)
    signer = Ed25519Signer(
        name=stores.origin,
        private_key=Ed25519PrivateKey.from_private_bytes(
            stores.keys.get_or_create("signing", "log/1").reveal()
        ),
    )
    checkpointer = Checkpointer(log=log, store=store, signers=[signer], clock=clock)
    backups = open_backups(settings, stores, clock=clock)
    anchorer = Anchorer(
        log=log,
        checkpointer=checkpointer,
        anchor=stores.anchor,
        clock=clock,
        interval_seconds=settings.anchor_interval_seconds,
        before=backups.ship,
    )
    reader = LogReader(log=log, store=store, keys=keys)
    return OpenLog(log, signer.verifier_key, checkpointer, anchorer, reader, backups)
