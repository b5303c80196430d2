"""Rows of the embedded key store: only wrapped values and blinded names, in one SQLite file.

Raises ``sqlite3.Error``; ``backend.adapters.keys.embedded`` translates. Nothing here knows a key.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE store (
    only INTEGER PRIMARY KEY CHECK (only = 1), schema INTEGER NOT NULL, id BLOB NOT NULL,
    epoch INTEGER NOT NULL, name_key BLOB NOT NULL
);
CREATE TABLE pages (page INTEGER PRIMARY KEY, wrapped BLOB NOT NULL);
CREATE TABLE secrets (
    kind TEXT NOT NULL, name BLOB NOT NULL, page INTEGER NOT NULL REFERENCES pages, wrapped BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE INDEX secrets_by_page ON secrets (page);
"""


class StoreRow(NamedTuple):
    schema: int
    id: bytes
    epoch: int
    name_key: bytes  # the key that blinds names, wrapped under the epoch key


class SecretRow(NamedTuple):
    kind: str
    name: bytes  # blinded
    page: int
    wrapped: bytes


class KeyDatabase:
    """One connection, used under its owner's lock."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        mode = "rwc" if create else "rw"
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        if create:
            self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, synced to disk when it ends without an error."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def store_row(self) -> StoreRow | None:
        row = self._connection.execute("SELECT schema, id, epoch, name_key FROM store").fetchone()
        return StoreRow(*row) if row else None

    def write_store_row(self, row: StoreRow) -> None:
        self._connection.execute("INSERT OR REPLACE INTO store VALUES (1, ?, ?, ?, ?)", row)

    def find(self, kind: str, name: bytes) -> SecretRow | None:
        row = self._connection.execute(
            "SELECT kind, name, page, wrapped FROM secrets WHERE kind = ? AND name = ?", (kind, name)
        ).fetchone()
        return SecretRow(*row) if row else None

    def in_page(self, page: int) -> list[SecretRow]:
        rows = self._connection.execute(
            "SELECT kind, name, page, wrapped FROM secrets WHERE page = ?", (page,)
        )
        return [SecretRow(*row) for row in rows]

    def after(self, kind: str, name: bytes, *, limit: int) -> list[SecretRow]:
        """Return the rows that follow in the order of kind and name."""
        rows = self._connection.execute(
            "SELECT kind, name, page, wrapped FROM secrets WHERE (kind, name) > (?, ?)"
            " ORDER BY kind, name LIMIT ?",
            (kind, name, limit),
        )
        return [SecretRow(*row) for row in rows]

    def write(self, row: SecretRow) -> None:
        self._connection.execute("INSERT OR REPLACE INTO secrets VALUES (?, ?, ?, ?)", row)

    def delete(self, row: SecretRow) -> None:
        self._connection.execute("DELETE FROM secrets WHERE kind = ? AND name = ?", (row.kind, row.name))

    def page(self, page: int) -> bytes | None:
        row = self._connection.execute("SELECT wrapped FROM pages WHERE page = ?", (page,)).fetchone()
        return bytes(row[0]) if row else None

    def pages(self) -> list[tuple[int, bytes]]:
        return self._connection.execute("SELECT page, wrapped FROM pages ORDER BY page").fetchall()

    def write_page(self, page: int, wrapped: bytes) -> None:
        # Not INSERT OR REPLACE: that deletes first, which the rows that refer to the page forbid.
        self._connection.execute(
            "INSERT INTO pages VALUES (?, ?) ON CONFLICT (page) DO UPDATE SET wrapped = excluded.wrapped",
            (page, wrapped),
        )

    def delete_page(self, page: int) -> None:
        self._connection.execute("DELETE FROM pages WHERE page = ?", (page,))

    def last_page(self) -> tuple[int, int]:
        """Return the highest page number and how many secrets it holds; (0, 0) when there is none."""
        row = self._connection.execute(
            "SELECT page, (SELECT count(*) FROM secrets s WHERE s.page = p.page) FROM pages p"
            " ORDER BY page DESC LIMIT 1"
        ).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def drop_journal(self) -> None:
        """Move the write-ahead log into the database and empty it."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        self._connection.close()
