"""Rows of a key store: only wrapped values and blinded names, in one SQLite file.

Raises ``sqlite3.Error``; ``backend.adapters.keys.paged`` translates. Nothing here knows a key.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from backend.keystore import KeyVersion

SCHEMA_VERSION: Final = 3
_SCHEMA: Final = """
CREATE TABLE store (
    only INTEGER PRIMARY KEY CHECK (only = 1), schema INTEGER NOT NULL, id BLOB NOT NULL,
    kind TEXT NOT NULL, epoch INTEGER NOT NULL, name_key BLOB NOT NULL
);
CREATE TABLE versions (
    class TEXT PRIMARY KEY, version INTEGER NOT NULL, minimum INTEGER NOT NULL, made_at INTEGER NOT NULL,
    logged INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE pages (
    page INTEGER PRIMARY KEY, version INTEGER NOT NULL, wrapped BLOB NOT NULL, counted BLOB NOT NULL
);
CREATE TABLE secrets (
    kind TEXT NOT NULL, name BLOB NOT NULL, page INTEGER NOT NULL REFERENCES pages, wrapped BLOB NOT NULL,
    label BLOB NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE INDEX secrets_by_page ON secrets (page);
"""


class StoreRow(NamedTuple):
    schema: int
    id: bytes
    kind: str  # of epoch keys
    epoch: int
    name_key: bytes  # the key that blinds names, wrapped under the epoch key


class PageRow(NamedTuple):
    page: int
    version: int  # of the class of page keys when this one was made
    wrapped: bytes
    counted: bytes  # how many secrets it holds, encrypted under the page key


class SecretRow(NamedTuple):
    kind: str
    name: bytes  # blinded
    page: int
    wrapped: bytes
    label: bytes  # the name, encrypted under the page key


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
        row = self._connection.execute("SELECT schema, id, kind, epoch, name_key FROM store").fetchone()
        return StoreRow(*row) if row else None

    def write_store_row(self, row: StoreRow) -> None:
        self._connection.execute("INSERT OR REPLACE INTO store VALUES (1, ?, ?, ?, ?, ?)", row)

    def versions(self) -> dict[str, KeyVersion]:
        rows = self._connection.execute("SELECT class, version, minimum, made_at, logged FROM versions")
        return {row[0]: KeyVersion(*row) for row in rows}

    def write_version(self, version: KeyVersion) -> None:
        self._connection.execute("INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?, ?)", version)

    def find(self, kind: str, name: bytes) -> SecretRow | None:
        row = self._connection.execute(
            "SELECT kind, name, page, wrapped, label FROM secrets WHERE kind = ? AND name = ?", (kind, name)
        ).fetchone()
        return SecretRow(*row) if row else None

    def in_page(self, page: int) -> list[SecretRow]:
        rows = self._connection.execute(
            "SELECT kind, name, page, wrapped, label FROM secrets WHERE page = ?", (page,)
        )
        return [SecretRow(*row) for row in rows]

    def in_no_page(self) -> list[SecretRow]:
        """Return secrets whose page is gone. None, unless somebody else wrote here."""
        rows = self._connection.execute(
            "SELECT kind, name, page, wrapped, label FROM secrets WHERE page NOT IN (SELECT page FROM pages)"
        )
        return [SecretRow(*row) for row in rows]

    def insert(self, row: SecretRow) -> None:
        self._connection.execute("INSERT INTO secrets VALUES (?, ?, ?, ?, ?)", row)

    def replace(self, rows: Iterable[tuple[SecretRow, SecretRow]]) -> None:
        """Put second rows in the places of first ones, of the same kind."""
        self._connection.executemany(
            "UPDATE secrets SET name = ?, wrapped = ?, label = ? WHERE kind = ? AND name = ?",
            ((new.name, new.wrapped, new.label, old.kind, old.name) for old, new in rows),
        )

    def delete(self, rows: Iterable[SecretRow]) -> None:
        self._connection.executemany(
            "DELETE FROM secrets WHERE kind = ? AND name = ?", ((row.kind, row.name) for row in rows)
        )

    def page(self, page: int) -> PageRow | None:
        row = self._connection.execute(
            "SELECT page, version, wrapped, counted FROM pages WHERE page = ?", (page,)
        ).fetchone()
        return PageRow(*row) if row else None

    def pages(self) -> list[PageRow]:
        rows = self._connection.execute("SELECT page, version, wrapped, counted FROM pages ORDER BY page")
        return [PageRow(*row) for row in rows]

    def write_page(self, row: PageRow) -> None:
        # Not INSERT OR REPLACE: that deletes first, which the rows that refer to the page forbid.
        self._connection.execute(
            "INSERT INTO pages VALUES (?, ?, ?, ?) ON CONFLICT (page) DO UPDATE"
            " SET version = excluded.version, wrapped = excluded.wrapped, counted = excluded.counted",
            row,
        )

    def delete_page(self, page: int) -> None:
        self._connection.execute("DELETE FROM pages WHERE page = ?", (page,))

    def last_page(self) -> PageRow | None:
        row = self._connection.execute(
            "SELECT page, version, wrapped, counted FROM pages ORDER BY page DESC LIMIT 1"
        ).fetchone()
        return PageRow(*row) if row else None

    def drop_journal(self) -> None:
        """Move the write-ahead log into the database and empty it."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        self._connection.close()
