"""A process that appends from four threads and prints what was acknowledged, until it is killed."""

from __future__ import annotations

import sys
import threading
import time

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.server import connect
from backend.audit.log import AuditLog
from tests.support.memory_audit import ANNA, BERTA, ORIGIN, MemoryAuditKeys, read_event


def main(uri: str, database: str, start: int) -> None:
    log = AuditLog(
        store=MongoAuditStore(connect(uri, database=database)),
        keys=MemoryAuditKeys(),
        anchor=None,
        origin=ORIGIN,
        clock_ms=lambda: time.time_ns() // 1_000_000,
        takeover=True,
    )
    log.start()
    printing = threading.Lock()

    def work(thread: int) -> None:
        for number in range(start + thread, start + 1_000_000, 4):
            act = number.to_bytes(16, "big")
            entry = log.append(read_event((ANNA, BERTA)[number % 2], number=number), act=act)
            with printing:
                sys.stdout.write(f"{number} {entry.index} {entry.leaf_hash.hex()}\n")
                sys.stdout.flush()

    for thread in range(4):
        threading.Thread(target=work, args=(thread,)).start()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
