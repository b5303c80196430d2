"""Stores in memory, as a backup sees them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import bson

from backend.adapters.storage.directory import DirectoryBlockStore
from backend.backup.errors import BackupUnwritable
from backend.backup.keeping import LAST_SECONDS, BackupKeeper
from backend.backup.operations import Operation
from backend.backup.reading import Backup
from backend.backup.recovery_key import generate, read_private_half, read_service_half, service_path
from backend.backup.shelf import Shelf
from backend.backup.sources import Sources
from backend.keystore import KeyName, KeyVersion, Secret
from backend.records.blocks import Cid, Splitter

DAY = 24 * 3600


class MemoryIndex:
    """Documents by collection and id. ``before_reading`` is called ahead of each document that is read."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.changes: dict[str, set[Any] | None] | None = {}
        self.before_reading: Callable[[str], None] = lambda _collection: None

    pointing = frozenset({"state"})

    def put(self, collection: str, key: str, **fields: Any) -> None:
        self.tables.setdefault(collection, {})[key] = {"_id": key, **fields}
        self._changed(collection, key)

    def drop(self, collection: str, key: str) -> None:
        del self.tables[collection][key]
        self._changed(collection, key)

    def take(self) -> Mapping[str, set[Any] | None] | None:
        taken, self.changes = self.changes, {}
        return taken

    def put_back(self, changes: Mapping[str, set[Any] | None]) -> None:
        for collection, ids in changes.items():
            for key in ids or ():
                self._changed(collection, key)

    def collections(self) -> list[str]:
        return [*(name for name in self.tables if name == "state"), *sorted(self.tables.keys() - {"state"})]

    def documents(self, collection: str) -> Iterator[bytes]:
        for document in list(self.tables[collection].values()):
            self.before_reading(collection)
            yield bson.encode(document)

    def changed(
        self, changes: Mapping[str, set[Any] | None]
    ) -> Iterator[tuple[str, bytes, bytes | None] | str]:
        for collection in self.collections():
            for key in sorted(changes.get(collection) or ()):
                self.before_reading(collection)
                document = self.tables[collection].get(key)
                yield (
                    collection,
                    bson.encode({"_id": key}),
                    None if document is None else bson.encode(document),
                )

    def log_head(self) -> tuple[int, bytes]:
        return int(self.tables.get("state", {}).get("head", {"size": 0})["size"]), b""

    def _changed(self, collection: str, key: str) -> None:
        if self.changes is not None:
            known = self.changes.setdefault(collection, set())
            if known is not None:
                known.add(key)


class MemoryKeys:
    def __init__(self) -> None:
        self.secrets: dict[KeyName, Secret] = {}
        self.changes: set[KeyName] = set()
        self.classes: dict[str, KeyVersion] = {}

    def noted(self) -> tuple[KeyVersion, ...]:
        return tuple(self.classes.values())

    def note_version(self, version: KeyVersion) -> None:
        self.classes[version.key_class] = version

    def make(self, name: str) -> Secret:
        self.changes.add(("salt", name))
        return self.secrets.setdefault(("salt", name), Secret.generate())

    def erase(self, name: str) -> None:
        self.changes.add(("salt", name))
        del self.secrets["salt", name]

    def record_changes(self) -> None:
        self.changes = set()

    def take_changes(self) -> set[KeyName]:
        taken, self.changes = self.changes, set()
        return taken

    def put_back_changes(self, changes: set[KeyName]) -> None:
        self.changes |= changes

    def rows(self) -> Iterator[tuple[KeyName, Secret]]:
        yield from list(self.secrets.items())

    def row(self, name: KeyName) -> Secret | None:
        return self.secrets.get(name)

    def put_rows(self, rows: Iterable[tuple[KeyName, Secret]]) -> None:
        self.secrets.update(rows)


class FileJournal:
    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_bytes(b"")

    def append(self, content: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(content)

    def journal_bytes(self) -> int:
        return self._path.stat().st_size

    def journal_path(self) -> Path:
        return self._path


class MemorySite:
    """A deployment to back up."""

    def __init__(self, root: Path) -> None:
        self.index = MemoryIndex()
        self.keys = MemoryKeys()
        self.blocks = DirectoryBlockStore(root / "blocks")
        self.journal = FileJournal(root / "journal")

    def sources(self) -> Sources:
        return Sources(
            index=self.index,
            keys=self.keys,
            blocks=self.blocks,
            journal=self.journal,
            files=lambda: {"chain/deployment.json": b"{}"},
            facts={"tenant": "hospital"},
        )


class Scene:
    """A site, its keeper and a clock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 1_800_000_000
        self.room = True
        self.alone = threading.Lock()
        self.site = MemorySite(root)
        self.half = root / "service-half"
        self.new_key("first")
        self.shelf = Shelf(root / "backups")
        self.keeper = self.new_keeper()

    def new_keeper(self, *, last_seconds: float = LAST_SECONDS) -> BackupKeeper:
        return BackupKeeper(
            sources=self.site.sources(),
            recorder=self.site.index,
            shelf=self.shelf,
            service_half=lambda: read_service_half(self.half),
            keep=2,
            clock=lambda: self.now,
            last_seconds=last_seconds,
            room=self._require_room,
            alone=self.alone,
        )

    def _require_room(self) -> None:
        if not self.room:
            raise BackupUnwritable

    def new_key(self, name: str) -> None:
        generate(self.root / name, now=self.now)
        shutil.copy(service_path(self.root / name), self.half)

    def backup(self, key: str = "first") -> Backup:
        return Backup(self.shelf, self.shelf.newest(), read_private_half(self.root / key), now=self.now)

    def tail(self) -> list[Operation]:
        return list(self.backup().tail())

    def store(self, content: bytes) -> Cid:
        splitter = Splitter([content])
        self.site.blocks.put_blocks(splitter)
        self.site.blocks.pin(splitter.address.root, splitter.address.blocks)
        return splitter.address.root
