"""Opens what keeps the backup of a running service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.adapters.data_directory import MIN_FREE_BYTES, DataDirectory
from backend.adapters.index.copying import MongoIndexCopy
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.schema_version import of_directory
from backend.api.metrics import publish_backup, publish_verified_backup
from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.backup.daily import DailyBackup
from backend.backup.errors import (
    BackupFolderUnusable,
    BackupKeyNeeded,
    BackupNotConfigured,
    BackupUnwritable,
    KeysStayInside,
)
from backend.backup.keeping import BackupKeeper
from backend.backup.own_keys import OwnKeys
from backend.backup.ports import KeyCopy
from backend.backup.recovery_key import ServiceHalf, read_service_half
from backend.backup.sealed_file import read_header
from backend.backup.shelf import MANIFEST, Shelf
from backend.backup.sources import Sources
from backend.settings import Settings
from backend.stores import Stores

FILES: Final = ("chain/deployment.json", "chain/custodian.json", "label-map.json")
RESERVE_BYTES: Final = 2 * MIN_FREE_BYTES  # on the disk of the data: a backup must not stop new records
_ACTOR: Final = Agent.service("backup")


class NoBackups:
    """Stands where none are kept."""

    def start(self) -> None: ...

    def close(self) -> None: ...

    def ship(self) -> None:
        """Nothing has to be reached."""

    def make(self) -> None:
        raise BackupNotConfigured

    def status(self) -> dict[str, Any]:
        raise BackupNotConfigured


def require_backup(settings: Settings) -> None:
    """Raise BackupKeyNeeded or BackupFolderUnusable where a service could not keep the backup that it should.

    A directory that was named may be away for a while, which is an alarm and no reason not to start.
    """
    if not settings.keeps_backup:
        return
    _require_key(settings)
    if settings.backup_directory is None:
        try:
            settings.backup_folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as failure:
            raise BackupFolderUnusable(f"{settings.backup_folder}: {failure.strerror}") from failure


def _require_key(settings: Settings) -> None:
    if settings.backup_recovery_key is None and not settings.is_development:
        raise BackupKeyNeeded


def service_half(settings: Settings, *, clock: Callable[[], int]) -> ServiceHalf:
    """Return what backups are sealed with now. Raises BackupKeyNeeded, RecoveryKeyUnreadable."""
    _require_key(settings)
    if settings.backup_recovery_key is not None:
        return read_service_half(settings.backup_recovery_key)
    return OwnKeys(settings.backup_keys_folder, clock=clock).current()


def sources_of(stores: Stores) -> Sources:
    """Raises KeysStayInside where the key store gives no secret away."""
    if not isinstance(stores.keys, KeyCopy):
        raise KeysStayInside
    return Sources(
        index=MongoIndexCopy(stores.database),
        keys=stores.keys,
        blocks=stores.blocks,
        journal=stores.chain if isinstance(stores.chain, EmbeddedChain) else None,
        files=lambda: _files(stores),
        facts={
            "tenant": stores.settings.tenant,
            "origin": stores.origin,
            "chain": str(stores.chain.chain_id),
            "storage": stores.settings.storage,
            "schema": str(of_directory(stores.directory.root).number),
        },
    )


def open_backups(
    settings: Settings, stores: Stores, *, log: AuditLog, clock: Callable[[], int], merging: threading.Lock
) -> DailyBackup | NoBackups:
    """``merging`` is held while bundles of the log are merged."""
    if stores.index_changes is None:
        return NoBackups()
    shelf = Shelf(settings.backup_folder)
    keeper = BackupKeeper(
        sources=sources_of(stores),
        recorder=stores.index_changes,
        shelf=shelf,
        service_half=lambda: service_half(settings, clock=clock),
        keep=settings.backup_generations,
        clock=clock,
        alone=merging,
        base_seconds=settings.backup_interval_hours * 3600,
        publish=publish_backup,
        room=lambda: _check_room(shelf, stores.directory),
    )

    def tidy() -> None:
        if settings.backup_recovery_key is None:
            own = OwnKeys(settings.backup_keys_folder, clock=clock)
            own.destroy_unneeded(read_header(shelf.path(name, MANIFEST)).key for name in shelf.generations())

    return DailyBackup(
        keeper=keeper,
        shelf=shelf,
        notes=_LogNotes(log),
        clock=clock,
        publish=publish_verified_backup,
        tidy=tidy,
    )


@dataclass(frozen=True, slots=True)
class _LogNotes:
    """What a check came to, in the audit log."""

    log: AuditLog

    def verified(self, generation: str, at: int, counts: dict[str, int]) -> None:
        blocks = counts.get("blocks", 0)
        self._append(Outcome.CHANGED, at, {"generation": generation, "blocks": blocks})

    def refused(self, generation: str, at: int, code: str) -> None:
        self._append(Outcome.DENIED, at, {"generation": generation, "code": code})

    def _append(self, outcome: Outcome, at: int, detail: Mapping[str, DetailValue]) -> None:
        self.log.append(
            AuditEvent(
                type=codes.BACKUP_CHECKED,
                outcome=outcome,
                occurred_at_ms=at * 1000,
                actor=_ACTOR,
                detail=detail,
            )
        )


def _check_room(shelf: Shelf, directory: DataDirectory) -> None:
    """Raise BackupUnwritable before a backup takes the room that the data needs."""
    if same_disk(shelf.root, directory.root) and directory.free_bytes() < RESERVE_BYTES:
        raise BackupUnwritable("the backup lies on the disk of the data, which is nearly full")


def same_disk(backup: Path, data: Path) -> bool:
    try:
        return backup.stat().st_dev == data.stat().st_dev
    except OSError:  # not there, which is told elsewhere
        return False


def _files(stores: Stores) -> Mapping[str, bytes]:
    root = stores.directory.root
    return {name: (root / name).read_bytes() for name in FILES if (root / name).is_file()}
