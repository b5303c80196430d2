"""The next key of the audit log, for a stopped service."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

from backend.adapters.index.audit_store import MongoAuditStore
from backend.log_wiring import log_key_book
from backend.maintenance.stopped_log import StoppedLog
from backend.stores import Stores


def rotate_log_key(stores: Stores) -> dict[str, Any]:
    """Make the next key and say what to publish. Raises what a damaged log raises."""
    with closing(StoppedLog(stores, reader="operator")) as stopped:
        book = log_key_book(stores, clock=lambda: int(time.time()))
        newest = MongoAuditStore(stores.database).newest_checkpoint(anchored=False)
        made = book.rotate(log=stopped.log, newest=newest)
    ed25519, ml_dsa_44 = made.keys
    return {"epoch": made.epoch, "from_size": made.from_size, "ed25519": ed25519, "ml_dsa_44": ml_dsa_44}
