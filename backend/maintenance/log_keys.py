"""The next key of the audit log, for a stopped service."""

from __future__ import annotations

import time
from typing import Any

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.audit.log import AuditLog
from backend.log_wiring import log_key_book
from backend.stores import Stores


def rotate_log_key(stores: Stores) -> dict[str, Any]:
    """Make the next key and say what to publish. Raises what a damaged log raises."""
    store = MongoAuditStore(stores.database)
    log = AuditLog(
        store=store,
        keys=StoredAuditKeys(stores.keys),
        anchor=stores.anchor,
        origin=stores.origin,
        clock_ms=lambda: time.time_ns() // 1_000_000,
        takeover=stores.settings.index_uri is None,
    )
    log.start()
    try:
        book = log_key_book(stores, clock=lambda: int(time.time()))
        made = book.rotate(log=log, newest=store.newest_checkpoint(anchored=False))
    finally:
        log.close()
    return {
        "epoch": made.epoch,
        "from_size": made.from_size,
        "ed25519": made.keys[0],
        "ml_dsa_44": made.keys[1],
    }
