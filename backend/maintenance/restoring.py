"""``assent restore``: a backup becomes a deployment again, or the directory stays marked as none.

Keys and chain first, for everything else opens with them; then index and blocks. What comes out is held
against the chain with the checks of every start and of ``fsck``, and what the chain knows to have been undone
since is undone again. Only then is the mark removed that keeps a service from starting.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from typing import Any, Final, TypeVar

from backend.adapters.data_directory import DataDirectory
from backend.adapters.durable import sync_directory, write_all, write_file
from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.copying import MongoIndexLoad
from backend.adapters.schema_version import SCHEMA, Version, note_directory
from backend.audit.startup import check_history, rebuild
from backend.backup.block_copy import copy_in
from backend.backup.errors import (
    BackupDamaged,
    BackupOfAnotherRelease,
    KeysStayInside,
    RestoreDiffers,
    RestoreNotEmpty,
)
from backend.backup.making import INDEX
from backend.backup.operations import (
    ClearCollection,
    DropDocuments,
    Journal,
    PutDocument,
    PutFile,
    PutSecret,
)
from backend.backup.ports import KeyCopy
from backend.backup.reading import Backup
from backend.backup.shelf import Shelf
from backend.backup_wiring import FILES
from backend.keys_wiring import open_keys
from backend.keystore import KeyName, Secret
from backend.maintenance.fsck import check_everything
from backend.maintenance.privacy_ledger import mend_ledger
from backend.maintenance.reindex import reindex
from backend.maintenance.replaying import replay_erasures
from backend.maintenance.report import Finding, Report
from backend.settings import Settings
from backend.stores import Stores, open_stores

_Item = TypeVar("_Item")
# What may lie in a directory that is restored into: configuration, and what opens a new key store.
_ALLOWED: Final = frozenset({"lock", "development.key", "label-map.json", "restoring"})
_SECRETS: Final = 4096  # made durable together
# Findings that say: the chain knows of it, the backup did not reach it.
_LOST: Final = frozenset({"record_missing", "consent_missing", "consents_incomplete"})


@dataclass(slots=True)
class RestoreReport:
    generation: str
    tail_parts: int
    restored: Counter[str] = field(default_factory=Counter)
    replayed: Counter[str] = field(default_factory=Counter)
    lost: list[Finding] = field(default_factory=list)
    damage: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        def told(findings: list[Finding]) -> list[dict[str, str]]:
            return [{"code": found.code, "where": found.where} for found in findings]

        return {
            "generation": self.generation,
            "tail_parts": self.tail_parts,
            "restored": dict(self.restored),
            "replayed": dict(self.replayed),
            "lost": told(self.lost),
            "damage": told(self.damage),
        }


def restore(
    settings: Settings,
    backup: Backup,
    shelf: Shelf,
    *,
    keep_chain: bool,
    newer: Backup | None = None,
) -> RestoreReport:
    """Restore into the data directory (and the index and block store) of the settings.

    ``newer`` is a later backup that is not restored: what it no longer holds was erased, and stays so.

    Raises RestoreNotEmpty, RestoreDiffers, BackupOfAnotherRelease, BackupDamaged, and what a start raises on
    a log that is not the one the chain knows, such as LogRolledBack. After an error the directory stays
    marked: no service starts.
    """
    if backup.manifest.facts.get("tenant") != settings.tenant:
        raise RestoreDiffers
    schema = backup.manifest.facts.get("schema", "0")
    if schema != str(SCHEMA):
        raise BackupOfAnotherRelease(f"the backup has version {schema}, this release needs {SCHEMA}")
    report = RestoreReport(backup.generation, backup.parts)
    with _directory(settings) as directory:
        _begin(directory, keep_chain=keep_chain)
        _restore_keys(settings, directory, backup, newer, report)
        _restore_chain(directory, backup, report, keep_chain=keep_chain)
    stores = open_stores(settings, restoring=True)
    try:
        _restore_index(stores, backup, report)
        for root in sorted(backup.pins()):
            copy_in(shelf, stores.blocks, root)
            report.restored["blobs"] += 1
        _check_log(stores, report)
        report.replayed.update(replay_erasures(stores))
        report.replayed.update(reindex(stores))
        _sort(check_everything(stores), report)
        note_directory(stores.directory.root, Version(SCHEMA))
        stores.directory.restore_mark.unlink()
        sync_directory(stores.directory.root)
    finally:
        stores.closing.close()
    return report


@contextmanager
def _directory(settings: Settings) -> Iterator[DataDirectory]:
    directory = DataDirectory(settings.data_directory, restoring=True)
    directory.open()
    try:
        yield directory
    finally:
        directory.close()


def _begin(directory: DataDirectory, *, keep_chain: bool) -> None:
    """Mark the directory, and clear away what a restore before this one left half done."""
    kept = _ALLOWED | ({"chain"} if keep_chain else frozenset())
    mark = _mark(directory)
    if mark is None:
        if any(path.name not in kept for path in directory.root.iterdir()):
            raise RestoreNotEmpty
        _write_mark(directory, {"keep_chain": keep_chain, "index_is_ours": False})
        return
    if mark["keep_chain"] and not keep_chain:
        raise RestoreNotEmpty("the restore before this one kept the chain; call it with --keep-chain again")
    for path in directory.root.iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    sync_directory(directory.root)


def _mark(directory: DataDirectory) -> dict[str, bool] | None:
    try:
        found: dict[str, bool] = json.loads(directory.restore_mark.read_bytes())
    except FileNotFoundError:
        return None
    return found


def _write_mark(directory: DataDirectory, mark: dict[str, bool]) -> None:
    write_file(directory.restore_mark, json.dumps(mark).encode())


def _restore_keys(
    settings: Settings,
    directory: DataDirectory,
    backup: Backup,
    newer: Backup | None,
    report: RestoreReport,
) -> None:
    """Make a new key store, under an epoch and a passphrase of its own, of the secrets that still count."""
    final = backup.final_secrets()
    alive = None if newer is None else newer.secret_names()

    def rows() -> Iterator[tuple[KeyName, Secret]]:
        for operation in backup.secrets():
            match operation:
                case PutSecret(kind, name, secret) if (kind, name) not in final:
                    yield (kind, name), secret
        for each, last in final.items():
            if last is not None:
                yield each, last

    keys = open_keys(settings, directory)
    try:
        if not isinstance(keys, KeyCopy):
            raise KeysStayInside
        for batch in _batches(rows(), _SECRETS):
            kept = [row for row in batch if alive is None or row[0] in alive]
            keys.put_rows(kept)
            report.restored["secrets"] += len(kept)
            report.replayed["secrets erased since"] += len(batch) - len(kept)
        for version in backup.versions():  # or nobody would know which of them count
            keys.note_version(version)
    finally:
        keys.close()
    report.replayed["secrets made since"] = sum(secret is not None for secret in final.values())
    report.replayed["secrets erased since"] += sum(secret is None for secret in final.values())


def _restore_chain(
    directory: DataDirectory, backup: Backup, report: RestoreReport, *, keep_chain: bool
) -> None:
    """Write journal and small files; with ``keep_chain`` only those files that are missing."""
    directory.chain.mkdir(mode=0o700, exist_ok=True)
    journal = None if keep_chain else _JournalFile(directory)
    try:
        for operation in chain(backup.chain(), backup.tail()):
            match operation:
                case PutFile(name, content) if name in FILES and not (directory.root / name).exists():
                    write_file(directory.root / name, content)
                case Journal(offset, content) if journal is not None:
                    journal.append(offset, content)
    finally:
        if journal is not None:
            report.restored["journal bytes"] = journal.close()


class _JournalFile:
    """Made when the first byte comes: a network's chain has none."""

    def __init__(self, directory: DataDirectory) -> None:
        self._path = directory.chain / "journal"
        self._descriptor: int | None = None
        self._size = 0

    def append(self, offset: int, content: bytes) -> None:
        if offset != self._size:
            raise BackupDamaged("the chain's journal has a gap")
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        write_all(self._descriptor, content)
        self._size += len(content)

    def close(self) -> int:
        """Make it durable; return its size."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            sync_directory(self._path.parent)
        return self._size


def _restore_index(stores: Stores, backup: Backup, report: RestoreReport) -> None:
    load = MongoIndexLoad(stores.database)
    mark = _mark(stores.directory) or {}
    if mark.get("index_is_ours"):
        load.clear()
    elif not load.is_empty():
        raise RestoreNotEmpty("the index that the settings name holds another deployment")
    else:
        _write_mark(stores.directory, {**mark, "index_is_ours": True})
    documents = (each for each in backup.index() if isinstance(each, PutDocument))
    for collection, group in groupby(documents, key=lambda each: each.collection):
        load.insert(collection, (each.document for each in group))
    report.restored["documents"] = backup.manifest.counts[INDEX]
    for operation in backup.tail():
        match operation:
            case PutDocument(collection, document):
                load.put(collection, document)
                report.replayed["documents written since"] += 1
            case DropDocuments(collection, key):
                load.drop(collection, key)
                report.replayed["documents removed since"] += 1
            case ClearCollection(collection):
                load.empty(collection)
    load.cut_log()
    report.restored["privacy charges"] = mend_ledger(stores)


def _check_log(stores: Stores, report: RestoreReport) -> None:
    """Make the checks of a start: entries against head, head against stored and anchored checkpoints."""
    store = MongoAuditStore(stores.database)
    head = store.head()
    if head is None:
        return
    state = rebuild(store, head)
    check_history(state, store, stores.anchor)
    report.restored["log entries"] = state.size


def _batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _sort(found: Report, report: RestoreReport) -> None:
    for finding in found.damage:
        (report.lost if finding.code in _LOST else report.damage).append(finding)
