"""Everything of one deployment that a backup holds, as streams of operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from backend.backup.operations import (
    ClearCollection,
    DropDocuments,
    DropPin,
    DropSecret,
    Journal,
    NoteVersion,
    Operation,
    PutDocument,
    PutFile,
    PutPin,
    PutSecret,
)
from backend.backup.ports import Changes, IndexCopy, JournalCopy, KeyCopy
from backend.keystore import KeyName
from backend.records.blocks import Cid
from backend.records.storage_ports import BlockStore

_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Sources:
    """The open stores. ``journal`` is None where the chain is a network's."""

    index: IndexCopy
    keys: KeyCopy
    blocks: BlockStore
    journal: JournalCopy | None
    files: Callable[[], Mapping[str, bytes]]  # small files of the data directory, by their path there
    facts: Mapping[str, str]  # what tells one deployment from another, for the manifest

    def documents(self) -> Iterator[Operation]:
        for collection in self.index.collections():
            for document in self.index.documents(collection):
                yield PutDocument(collection, document)

    def changed_documents(self, changes: Changes) -> Iterator[Operation]:
        for change in self.index.changed(changes):
            if isinstance(change, str):
                yield ClearCollection(change)
                continue
            collection, key, document = change
            yield DropDocuments(collection, key) if document is None else PutDocument(collection, document)

    def versions(self) -> Iterator[Operation]:
        for version in self.keys.noted():
            yield NoteVersion(*version)

    def secrets(self) -> Iterator[Operation]:
        yield from self.versions()
        for name, secret in self.keys.rows():
            yield PutSecret(*name, secret)

    def changed_secrets(self, changes: set[KeyName]) -> Iterator[Operation]:
        for name in sorted(changes):
            secret = self.keys.row(name)
            yield DropSecret(*name) if secret is None else PutSecret(*name, secret)

    def small_files(self) -> Iterator[Operation]:
        for name, content in sorted(self.files().items()):
            yield PutFile(name, content)

    def journal_from(self, start: int, end: int) -> Iterator[Operation]:
        if self.journal is None or start >= end:
            return
        with self.journal.journal_path().open("rb") as file:
            file.seek(start)
            while start < end and (content := file.read(min(_PIECE_BYTES, end - start))):
                yield Journal(start, content)
                start += len(content)

    def journal_end(self) -> int:
        return 0 if self.journal is None else self.journal.journal_bytes()


def changed_pins(before: set[Cid], now: set[Cid]) -> Iterator[Operation]:
    for root in sorted(now - before):
        yield PutPin(root)
    for root in sorted(before - now):
        yield DropPin(root)
