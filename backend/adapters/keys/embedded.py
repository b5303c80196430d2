"""The key store in files of this machine: a passphrase or key file opens an epoch key, and that all the rest.

``root -> epoch key (epoch-<n>.key) -> page keys -> up to 256 secrets each (keys.db)``. Erasing gives
the page a new key and all pages a new epoch key, and destroys the old epoch key's file; the erased wrap
hangs on a key that is gone, in this database and in each copy of it. ``epoch.py`` gives the order of writes.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from backend.adapters.durable import OwnerLock, sync_directory
from backend.adapters.keys import epoch as epochs
from backend.adapters.keys.database import SCHEMA_VERSION, KeyDatabase, SecretRow, StoreRow
from backend.adapters.keys.epoch import Root
from backend.adapters.keys.keyring import Keyring, blind_name
from backend.adapters.keys.root import Unlock, new_root
from backend.keystore import (
    KeyKind,
    KeyName,
    KeyStoreDamaged,
    KeyStoreInUse,
    KeyStoreMissing,
    KeyStoreUnavailable,
    Secret,
    SecretDiffers,
    SecretNotFound,
    check_name,
)

PAGE_SECRETS: Final = 256
_CORRUPTION: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@contextmanager
def _driver_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _CORRUPTION:
            raise KeyStoreDamaged from error
        raise KeyStoreUnavailable from error
    except OSError as error:
        raise KeyStoreUnavailable from error


def _create(store: Path, unlock: Unlock, blinding: Secret) -> None:
    """Make a new store, whole or not at all: a directory built aside and renamed into place."""
    building = store.with_name(store.name + ".tmp")
    shutil.rmtree(building, ignore_errors=True)  # an earlier start that was killed; nothing was in use yet
    building.mkdir(mode=0o700)
    key, root = new_root(unlock)
    store_id, epoch_key = secrets.token_bytes(16), Secret.generate()
    epochs.write_epoch(building, store_id=store_id, epoch=1, key=epoch_key, root=Root(key, root))
    database = KeyDatabase(building / "keys.db", create=True)
    name_key = Keyring(store_id, epoch_key).wrap_name_key(blinding)
    database.write_store_row(StoreRow(SCHEMA_VERSION, store_id, 1, name_key))
    database.drop_journal()
    database.close()
    sync_directory(building)
    building.rename(store)
    sync_directory(store.parent)


class EmbeddedKeyStore:
    """A ``KeyStore`` below a directory, owned by one process at a time.

    Opening raises KeyStoreInUse, KeyStorePassphrase, KeyStoreRolledBack, KeyStoreDamaged, and KeyStoreMissing
    when there is none and ``create`` is false. Opened keys stay in memory, a bounded number
    of them, until the next erasure.
    """

    def __init__(
        self, directory: Path, unlock: Unlock, *, create: bool = True, name_key: Secret | None = None
    ) -> None:
        """``name_key`` is for a new store that takes over the rows of another."""
        self.changes: set[tuple[str, bytes]] | None = None  # secrets made and erased, for a backup
        self._lock = threading.RLock()
        self._database: KeyDatabase | None = None
        self._store = directory / "store"
        self._unsettled: tuple[Root, ...] = ()  # the roots that may count after a change that failed half-way
        with _driver_errors():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._owner = OwnerLock(directory / "lock")
            if not self._owner.acquire():
                raise KeyStoreInUse
            try:
                if not self._store.is_dir():
                    if not create:
                        raise KeyStoreMissing
                    _create(self._store, unlock, name_key or Secret.generate())
                if not (self._store / "keys.db").is_file():
                    raise KeyStoreDamaged
                self._database = KeyDatabase(self._store / "keys.db")
                self._load(unlock)
            except BaseException:
                self.close()
                raise

    def get(self, kind: KeyKind, name: str) -> Secret:
        with self._locked() as database:
            secret = self._recall(database, kind, name)
        if secret is None:
            raise SecretNotFound
        return secret

    def exists(self, kind: KeyKind, name: str) -> bool:
        with self._locked() as database:
            return database.find(kind, self._blind(kind, name)) is not None

    def get_or_create(self, kind: KeyKind, name: str) -> Secret:
        return self.create_many([(kind, name)])[0]

    def create_many(self, names: Iterable[KeyName]) -> tuple[Secret, ...]:
        wanted = list(names)
        with self._locked() as database:
            found = [self._recall(database, kind, name) for kind, name in wanted]
            if None not in found:
                return tuple(secret for secret in found if secret is not None)
            with database.transaction():
                return tuple(
                    # Looked up again: one call may name a secret twice.
                    self._find(database, kind, name) or self._insert(database, kind, name, Secret.generate())
                    for kind, name in wanted
                )

    def put(self, kind: KeyKind, name: str, secret: Secret) -> None:
        with self._locked() as database:
            found = self._find(database, kind, name)
            if found is None:
                with database.transaction():
                    self._insert(database, kind, name, secret)
            elif found != secret:
                raise SecretDiffers

    def erase(self, kind: KeyKind, name: str) -> None:
        self.erase_many([(kind, name)])

    def erase_many(self, names: Iterable[KeyName]) -> None:
        wanted = list(names)
        with self._locked() as database:
            found = [database.find(kind, self._blind(kind, name)) for kind, name in wanted]
            rows = [row for row in found if row is not None]
            if rows:
                self._replace_epoch(database, self._root, erase=rows)

    def rotate_root(self, unlock: Unlock | None = None) -> None:
        """Give the store a new epoch key and, with ``unlock``, a new passphrase or key file."""
        with self._locked() as database:
            root = self._root if unlock is None else Root(*new_root(unlock))
            self._replace_epoch(database, root, erase=[])

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None
            self._owner.release()

    def name_key(self) -> Secret:
        with self._locked():
            return self._name_key

    def record_changes(self) -> None:
        with self._lock:
            self.changes = set()

    def take_changes(self) -> set[tuple[str, bytes]]:
        with self._lock:
            taken, self.changes = self.changes or set(), set()
            return taken

    def put_back_changes(self, changes: set[tuple[str, bytes]]) -> None:
        with self._lock:
            self.changes = changes | (self.changes or set())

    def rows(self) -> Iterator[tuple[str, bytes, Secret]]:
        after = ("", b"")
        while True:
            with self._locked() as database:
                found = database.after(*after, limit=PAGE_SECRETS)
                opened = [(row.kind, row.name, self._open_row(database, row)) for row in found]
            if not opened:
                return
            yield from opened
            after = opened[-1][:2]

    def row(self, kind: str, name: bytes) -> Secret | None:
        with self._locked() as database:
            found = database.find(kind, name)
            return None if found is None else self._open_row(database, found)

    def put_rows(self, rows: Iterable[tuple[str, bytes, Secret]]) -> None:
        with self._locked() as database, database.transaction():
            for kind, name, secret in rows:
                self._insert_row(database, kind, name, secret)

    @contextmanager
    def _locked(self) -> Iterator[KeyDatabase]:
        with self._lock, _driver_errors():
            if self._database is None:
                raise KeyStoreUnavailable("the key store is closed")
            if self._unsettled:
                self._load(self._unsettled)
            yield self._database

    def _load(self, opener: Unlock | tuple[Root, ...]) -> None:
        """Open the epoch that the database names, and destroy any other that a crash left behind."""
        database = self._database
        row = database.store_row() if database is not None else None
        if row is None or row.schema != SCHEMA_VERSION:
            raise KeyStoreDamaged
        epoch_key, self._root = epochs.read_epoch(
            self._store, store_id=row.id, epoch=row.epoch, opener=opener
        )
        self._keyring = Keyring(row.id, epoch_key)
        self._name_key = self._keyring.unwrap_name_key(row.name_key)
        self._row = row
        epochs.destroy_other_epochs(self._store, row.epoch)
        self._unsettled = ()

    def _blind(self, kind: str, name: str) -> bytes:
        check_name(kind, name)
        return blind_name(self._name_key, kind, name)

    def _recall(self, database: KeyDatabase, kind: KeyKind, name: str) -> Secret | None:
        """``_find`` with a memory. Never inside a transaction: what it wrote may yet come to nothing."""
        if (cached := self._keyring.cached_secret((kind, name))) is not None:
            return cached
        found = self._find(database, kind, name)
        return None if found is None else self._keyring.remember_secret((kind, name), found)

    def _find(self, database: KeyDatabase, kind: str, name: str) -> Secret | None:
        row = database.find(kind, self._blind(kind, name))
        return None if row is None else self._open_row(database, row)

    def _open_row(self, database: KeyDatabase, row: SecretRow) -> Secret:
        page_key = self._page_key(database, row.page)
        return self._keyring.unwrap_secret(row.wrapped, page_key=page_key, kind=row.kind, name=row.name)

    def _page_key(self, database: KeyDatabase, page: int) -> Secret:
        if (cached := self._keyring.cached_page(page)) is not None:
            return cached
        wrapped = database.page(page)
        if wrapped is None:
            raise KeyStoreDamaged
        return self._keyring.remember_page(page, self._keyring.unwrap_page_key(page, wrapped))

    def _insert(self, database: KeyDatabase, kind: str, name: str, secret: Secret) -> Secret:
        return self._insert_row(database, kind, self._blind(kind, name), secret)

    def _insert_row(self, database: KeyDatabase, kind: str, name: bytes, secret: Secret) -> Secret:
        self._changed(kind, name)
        page, used = database.last_page()
        if page == 0 or used >= PAGE_SECRETS:
            page += 1
            page_key = self._keyring.remember_page(page, Secret.generate())
            database.write_page(page, self._keyring.wrap_page_key(page, page_key))
        else:
            page_key = self._page_key(database, page)
        self._write(database, SecretRow(kind, name, page, b""), secret, page_key)
        return secret

    def _changed(self, kind: str, name: bytes) -> None:
        if self.changes is not None:
            self.changes.add((kind, name))

    def _write(self, database: KeyDatabase, row: SecretRow, secret: Secret, page_key: Secret) -> None:
        wrapped = self._keyring.wrap_secret(secret, page_key=page_key, kind=row.kind, name=row.name)
        database.write(row._replace(wrapped=wrapped))

    def _replace_epoch(self, database: KeyDatabase, root: Root, *, erase: list[SecretRow]) -> None:
        """Wrap all page keys under a new epoch key, leaving out erased secrets, then destroy the old one."""
        old, epoch, epoch_key = self._row, self._row.epoch + 1, Secret.generate()
        new = Keyring(old.id, epoch_key)
        # From here to the end any failure leaves it to the database to say which epoch counts.
        self._unsettled = (self._root, root)
        epochs.write_epoch(self._store, store_id=old.id, epoch=epoch, key=epoch_key, root=root)
        with database.transaction():
            renewed = self._renew_pages(database, erase)
            for page, wrapped in database.pages():
                key = renewed.get(page) or self._keyring.unwrap_page_key(page, wrapped)
                database.write_page(page, new.wrap_page_key(page, key))
            database.write_store_row(old._replace(epoch=epoch, name_key=new.wrap_name_key(self._name_key)))
        self._load(self._unsettled)
        database.drop_journal()

    def _renew_pages(self, database: KeyDatabase, erase: list[SecretRow]) -> dict[int, Secret]:
        """Delete rows and move what else is in their pages under new page keys; return these."""
        renewed = {row.page: Secret.generate() for row in erase}
        survivors: list[tuple[SecretRow, Secret]] = []
        for row in erase:
            database.delete(row)
            self._changed(row.kind, row.name)
        for page in list(renewed):
            rows = database.in_page(page)
            if not rows:
                database.delete_page(page)
                del renewed[page]
            survivors += [(row, self._open_row(database, row)) for row in rows]
        for row, secret in survivors:
            self._write(database, row, secret, renewed[row.page])
        return renewed
