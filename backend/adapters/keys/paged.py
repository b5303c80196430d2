"""A key store in pages: an epoch key opens page keys, and each of these up to 256 secrets in one database.

Erasing gives the page a new key and all pages a new epoch key, and destroys the old epoch key; the erased
wrap hangs on a key that is gone, in this database and in each copy of it. ``epochs`` says where an epoch key
lives and in which order one takes the place of another.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from backend.adapters.durable import OwnerLock, sync_directory, write_file
from backend.adapters.keys.database import SCHEMA_VERSION, KeyDatabase, PageRow, SecretRow, StoreRow
from backend.adapters.keys.epochs import EpochKeys, Place
from backend.adapters.keys.keyring import Keyring, blind_name
from backend.keystore import (
    KeyKind,
    KeyName,
    KeyStoreDamaged,
    KeyStoreInUse,
    KeyStoreKind,
    KeyStoreMissing,
    KeyStoreSchema,
    KeyStoreUnavailable,
    KeyVersion,
    Secret,
    SecretDiffers,
    SecretNotFound,
    WrappingClass,
    check_name,
)

PAGE_SECRETS: Final = 256
CLASSES: Final = ("root", "epoch", "page", "name")
_CORRUPTION: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_ID_BYTES: Final = 16


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


def _create(store: Path, epochs: EpochKeys, now: int) -> None:
    """Make a new store, whole or not at all: a directory built aside and renamed into place."""
    building = store.with_name(store.name + ".tmp")
    begun = building / "id"  # so that the keys of a store that never came to be are found
    if begun.exists() and len(store_id := begun.read_bytes()) == _ID_BYTES:
        epochs.destroy_others(Place(building, store_id), None)  # an earlier start that was killed
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    place = Place(building, secrets.token_bytes(_ID_BYTES))
    write_file(begun, place.store_id)
    sync_directory(store.parent)
    name_key = Keyring(place.store_id, epochs.make(place, 1)).wrap_name_key(Secret.generate(), 1)
    database = KeyDatabase(building / "keys.db", create=True)
    with database.transaction():
        for key_class in CLASSES:
            database.write_version(KeyVersion(key_class, 1, made_at=now))
        database.write_store_row(StoreRow(SCHEMA_VERSION, place.store_id, epochs.kind, 1, name_key))
    database.drop_journal()
    database.close()
    sync_directory(building)
    building.rename(store)
    sync_directory(store.parent)


class PagedKeyStore:
    """A ``KeyStore`` below a directory, owned by one process at a time.

    Opening raises KeyStoreInUse, KeyStoreRolledBack, KeyStoreDamaged, KeyStoreSchema, KeyStoreKind,
    KeyStoreMissing when there is none and ``create`` is false, and what ``epochs`` raises. Opened keys stay
    in memory, a bounded number of them, until the next erasure.
    """

    def __init__(
        self,
        directory: Path,
        epochs: EpochKeys,
        *,
        create: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lock = threading.RLock()
        self._database: KeyDatabase | None = None
        self._store = directory / "store"
        self._epochs = epochs
        self._clock = clock
        self._changes: set[KeyName] | None = None  # secrets made and erased, where a backup is kept
        self._unsettled = (
            False  # after a change that failed half-way: only the database knows which epoch counts
        )
        with _driver_errors():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._owner = OwnerLock(directory / "lock")
            try:
                if not self._owner.acquire():
                    raise KeyStoreInUse
                if not self._store.is_dir():
                    if not create:
                        raise KeyStoreMissing
                    _create(self._store, epochs, int(clock()))
                if not (self._store / "keys.db").is_file():
                    raise KeyStoreDamaged
                self._database = KeyDatabase(self._store / "keys.db")
                self._load(self._database)
            except BaseException:
                self.close()
                raise

    def get(self, kind: KeyKind, name: str) -> Secret:
        with self._lock:  # what is in memory needs no database, and a read of the log asks for nothing else
            if self._database is not None and not self._unsettled:
                cached = self._keyring.cached_secret((kind, name))
                if cached is not None:
                    return cached
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
                made = [
                    # Looked up again: one call may name a secret twice.
                    self._find(database, kind, name) or self._insert(database, kind, name, Secret.generate())
                    for kind, name in wanted
                ]
            return tuple(map(self._keyring.remember_secret, wanted, made))

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
                self._note_changes(wanted)
                self._replace_epoch(database, erase=rows)

    def rotate_root(self) -> None:
        self.rotate("epoch")

    def rotate(self, key_class: WrappingClass) -> None:
        with self._locked() as database:
            self._replace_epoch(database, rotate=key_class)

    def versions(self) -> tuple[KeyVersion, ...]:
        with self._locked():
            own = [self._versions[key_class] for key_class in CLASSES]
        return (*own, *self.noted())

    def note_version(self, version: KeyVersion) -> None:
        with self._locked() as database:
            with database.transaction():
                database.write_version(version)
            self._versions[version.key_class] = version

    def damaged(self) -> Iterator[str]:
        with self._locked() as database:
            pages = [row.page for row in database.pages()]
            lost = [_place(row) for row in database.in_no_page()]
        yield from lost
        for page in pages:
            with self._locked() as database:
                found = self._damaged_in(database, page)
            yield from found

    # --- what a backup needs: ``backend.backup.ports.KeyCopy``

    def record_changes(self) -> None:
        with self._lock:
            self._changes = set()

    def take_changes(self) -> set[KeyName]:
        with self._lock:
            taken, self._changes = self._changes or set(), set()
            return taken

    def put_back_changes(self, changes: set[KeyName]) -> None:
        with self._lock:
            self._note_changes(changes)

    def rows(self) -> Iterator[tuple[KeyName, Secret]]:
        # Page by page: no secret ever moves to another one, whatever is rotated meanwhile.
        with self._locked() as database:
            pages = [row.page for row in database.pages()]
            if database.in_no_page():
                raise KeyStoreDamaged("secrets whose page is gone")
        for page in pages:
            with self._locked() as database:
                found = self._open_all(database, page)
            yield from found

    def row(self, name: KeyName) -> Secret | None:
        with self._locked() as database:
            return self._find(database, *name)

    def noted(self) -> tuple[KeyVersion, ...]:
        with self._locked():
            return tuple(self._versions[name] for name in sorted(self._versions.keys() - {*CLASSES}))

    def put_rows(self, rows: Iterable[tuple[KeyName, Secret]]) -> None:
        with self._locked() as database, database.transaction():
            for name, secret in rows:
                self._insert(database, *name, secret)

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None
            self._epochs.close()
            self._owner.release()

    @contextmanager
    def _locked(self) -> Iterator[KeyDatabase]:
        with self._lock, _driver_errors():
            if self._database is None:
                raise KeyStoreUnavailable("the key store is closed")
            if self._unsettled:
                self._load(self._database)
            yield self._database

    def _load(self, database: KeyDatabase) -> None:
        """Open the epoch that the database names, and destroy any other that a crash left behind."""
        row = database.store_row()
        if row is None:
            raise KeyStoreDamaged
        if row.schema != SCHEMA_VERSION:
            raise KeyStoreSchema
        if row.kind != self._epochs.kind:
            raise KeyStoreKind(f"this key store is {row.kind}, not {self._epochs.kind}")
        versions = database.versions()
        if not versions.keys() >= {*CLASSES}:
            raise KeyStoreDamaged
        place = Place(self._store, row.id)
        keyring = Keyring(row.id, self._epochs.open(place, row.epoch))
        self._name_key = keyring.unwrap_name_key(row.name_key, versions["name"].version)
        self._keyring, self._row, self._versions = keyring, row, versions
        # Last: now it is sure that this epoch opens the database.
        self._epochs.destroy_others(place, row.epoch)
        self._unsettled = False

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
        if row is None:
            return None
        page_key = self._page_key(database, row.page)
        return self._keyring.unwrap_secret(row.wrapped, page_key=page_key, kind=row.kind, name=row.name)

    def _page_key(self, database: KeyDatabase, page: int) -> Secret:
        if (cached := self._keyring.cached_page(page)) is not None:
            return cached
        row = database.page(page)
        if row is None:
            raise KeyStoreDamaged
        return self._keyring.remember_page(page, self._open_page(row))

    def _open_page(self, row: PageRow) -> Secret:
        if row.version < self._versions["page"].minimum:
            raise KeyStoreDamaged("a page key of a version that was retired")
        return self._keyring.unwrap_page_key(row.page, row.version, row.wrapped)

    def _open_all(self, database: KeyDatabase, page: int) -> list[tuple[KeyName, Secret]]:
        """Return what is in a page; nothing when it went meanwhile."""
        stored = database.page(page)
        if stored is None:
            return []
        key = self._open_page(stored)
        labels = self._keyring.label_cipher(key)
        return [self._open_row(row, key, labels) for row in database.in_page(page)]

    def _open_row(self, row: SecretRow, key: Secret, labels: AESSIV) -> tuple[KeyName, Secret]:
        """Return name and secret, given the page's key and what it derives for names."""
        name = self._keyring.open_label(row.label, cipher=labels, kind=row.kind, name=row.name)
        secret = self._keyring.unwrap_secret(row.wrapped, page_key=key, kind=row.kind, name=row.name)
        return (cast(KeyKind, row.kind), name), secret

    def _damaged_in(self, database: KeyDatabase, page: int) -> list[str]:
        stored = database.page(page)
        if stored is None:
            return []
        try:
            key = self._open_page(stored)
            labels = self._keyring.label_cipher(key)
            count = self._keyring.open_count(stored.counted, cipher=labels, page=page)
        except KeyStoreDamaged:
            return [f"page {page}"]
        rows = database.in_page(page)
        found = [] if len(rows) == count else [f"page {page}: {len(rows)} secrets of {count}"]
        for row in rows:
            try:
                self._open_row(row, key, labels)
            except KeyStoreDamaged:
                found.append(_place(row))
        return found

    def _note_changes(self, names: Iterable[KeyName]) -> None:
        if self._changes is not None:
            self._changes.update(names)

    def _insert(self, database: KeyDatabase, kind: KeyKind, name: str, secret: Secret) -> Secret:
        self._note_changes([(kind, name)])
        ring, page, used = self._keyring, database.last_page(), 0
        if page is not None:
            page_key = self._page_key(database, page.page)
            labels = ring.label_cipher(page_key)
            used = ring.open_count(page.counted, cipher=labels, page=page.page)
        if page is None or used >= PAGE_SECRETS:
            number, version = 1 if page is None else page.page + 1, self._versions["page"].version
            page_key, used = ring.remember_page(number, Secret.generate()), 0
            labels = ring.label_cipher(page_key)
            page = PageRow(number, version, ring.wrap_page_key(number, version, page_key), b"")
        blinded = self._blind(kind, name)
        wrapped = ring.wrap_secret(secret, page_key=page_key, kind=kind, name=blinded)
        label = ring.seal_label(name, cipher=labels, kind=kind, name=blinded)
        counted = ring.seal_count(used + 1, cipher=labels, page=page.page)
        database.write_page(page._replace(counted=counted))
        database.insert(SecretRow(kind, blinded, page.page, wrapped, label))
        return secret

    def _replace_epoch(
        self,
        database: KeyDatabase,
        *,
        erase: Sequence[SecretRow] = (),
        rotate: WrappingClass | None = None,
        new_root: bool = False,
    ) -> None:
        """Wrap all page keys under a new epoch key, leaving out erased secrets, then destroy the old one.

        ``rotate``: give every page a new key, or blind every name under a new key, in the same stroke.
        """
        now, old, versions = int(self._clock()), self._row, dict(self._versions)
        raised = {"epoch", *({rotate} if rotate else ()), *({"root"} if new_root else ())}
        for key_class in raised:
            was = versions[key_class]
            version = was.version + 1
            # An erasure has an entry of its own in the log; that it raised the epoch needs none.
            logged = version if key_class == "epoch" and rotate != "epoch" else was.logged
            versions[key_class] = KeyVersion(key_class, version, version, now, logged)
        name_key = Secret.generate() if rotate == "name" else self._name_key
        self._unsettled = True  # from here to the end
        epoch_key = self._epochs.make(Place(self._store, old.id), old.epoch + 1)
        new = Keyring(old.id, epoch_key)
        with database.transaction():
            touched = Counter(row.page for row in erase)
            database.delete(erase)
            for row in database.pages():
                key, version, counted = self._open_page(row), row.version, row.counted
                if rotate in {"page", "name"} or row.page in touched:
                    key, version = Secret.generate(), versions["page"].version
                    left = self._renew_page(database, row, key, name_key, erased=touched[row.page])
                    if left == 0:
                        database.delete_page(row.page)
                        continue
                    counted = new.seal_count(left, cipher=new.label_cipher(key), page=row.page)
                wrapped = new.wrap_page_key(row.page, version, key)
                database.write_page(PageRow(row.page, version, wrapped, counted))
            for key_class in raised:
                database.write_version(versions[key_class])
            wrapped = new.wrap_name_key(name_key, versions["name"].version)
            database.write_store_row(old._replace(epoch=old.epoch + 1, name_key=wrapped))
        self._load(database)
        database.drop_journal()

    def _renew_page(
        self, database: KeyDatabase, page: PageRow, key: Secret, name_key: Secret, *, erased: int
    ) -> int:
        """Wrap what is in a page under a new key; return how many secrets must be left in it.

        That many, and not those found: what somebody took away without an erasure is missed ever after.
        """
        ring, old_key = self._keyring, self._open_page(page)
        old_labels, labels = ring.label_cipher(old_key), ring.label_cipher(key)
        changed = []
        for row in database.in_page(page.page):
            (kind, name), secret = self._open_row(row, old_key, old_labels)
            new = row.name if name_key == self._name_key else blind_name(name_key, kind, name)
            wrapped = ring.wrap_secret(secret, page_key=key, kind=kind, name=new)
            label = ring.seal_label(name, cipher=labels, kind=kind, name=new)
            changed.append((row, SecretRow(kind, new, page.page, wrapped, label)))
        database.replace(changed)
        return ring.open_count(page.counted, cipher=old_labels, page=page.page) - erased


def _place(row: SecretRow) -> str:
    """Names a secret that does not open: by its kind and its blinded name."""
    return f"{row.kind} {row.name.hex()}"
