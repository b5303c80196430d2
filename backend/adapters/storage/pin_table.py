"""Which blocks of the embedded store are kept, and for which roots: an SQLite file, synced at each commit."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from backend.records.blocks import Cid
from backend.records.storage_ports import Pin

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS roots (root TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (block TEXT, root TEXT, PRIMARY KEY (block, root)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kept_by_root ON kept (root);
"""
_PAGE: Final = 1000


class PinTable:
    """Raises ``sqlite3.Error``; its owner translates."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)

    def add(self, pins: Iterable[Pin]) -> None:
        """Keep roots and children, all of them or none; durable on return."""
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            for pin in pins:
                self._database.execute("INSERT OR IGNORE INTO roots VALUES (?)", (pin.root,))
                self._database.executemany(
                    "INSERT OR IGNORE INTO kept VALUES (?, ?)",
                    [(block, pin.root) for block in (pin.root, *pin.children)],
                )

    def remove(self, root: Cid) -> None:
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("DELETE FROM kept WHERE root = ?", (root,))
            self._database.execute("DELETE FROM roots WHERE root = ?", (root,))

    def covers(self, block: Cid) -> bool:
        """Tell whether any root keeps the block."""
        with self._lock:
            row = self._database.execute("SELECT 1 FROM kept WHERE block = ? LIMIT 1", (block,)).fetchone()
        return row is not None

    def kept_for(self, root: Cid) -> set[Cid]:
        """Return the blocks that a root keeps, itself among them; none where it is not pinned."""
        with self._lock:
            rows = self._database.execute(
                "SELECT block FROM kept WHERE root = ? AND EXISTS (SELECT 1 FROM roots WHERE root = ?)",
                (root, root),
            ).fetchall()
        return {Cid(block) for (block,) in rows}

    def roots(self) -> Iterator[Cid]:
        """Iterate in pages, so that pinning goes on meanwhile."""
        after = ""
        while True:
            with self._lock:
                rows = self._database.execute(
                    "SELECT root FROM roots WHERE root > ? ORDER BY root LIMIT ?", (after, _PAGE)
                ).fetchall()
            if not rows:
                return
            for (root,) in rows:
                yield Cid(root)
            after = rows[-1][0]

    def check(self) -> None:
        with self._lock:
            self._database.execute("SELECT count(*) FROM (SELECT 1 FROM roots LIMIT 1)").fetchone()

    def close(self) -> None:
        with self._lock:
            self._database.close()
