"""Opens what keeps the backup of a running service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from backend.adapters.index.copying import MongoIndexCopy
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.schema_version import of_directory
from backend.api.metrics import publish_backup
from backend.backup.errors import BackupNotConfigured, KeysStayInside
from backend.backup.keeping import BackupKeeper
from backend.backup.ports import KeyCopy
from backend.backup.shelf import Shelf
from backend.backup.sources import Sources
from backend.settings import Settings
from backend.stores import Stores

FILES: Final = ("chain/deployment.json", "chain/custodian.json", "label-map.json")


class NoBackups:
    """Stands where none are configured."""

    def ship(self) -> None:
        """Nothing has to be reached."""

    def make(self) -> None:
        raise BackupNotConfigured

    def status(self) -> dict[str, Any]:
        raise BackupNotConfigured


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


def open_backups(settings: Settings, stores: Stores, *, clock: Callable[[], int]) -> BackupKeeper | NoBackups:
    if settings.backup_directory is None or settings.backup_recovery_key is None:
        return NoBackups()
    if stores.index_changes is None:
        raise RuntimeError("the stores were opened without a recorder of changes")
    return BackupKeeper(
        sources=sources_of(stores),
        recorder=stores.index_changes,
        shelf=Shelf(settings.backup_directory),
        service_half=settings.backup_recovery_key,
        keep=settings.backup_generations,
        clock=clock,
        publish=publish_backup,
    )


def _files(stores: Stores) -> Mapping[str, bytes]:
    root = stores.directory.root
    return {name: (root / name).read_bytes() for name in FILES if (root / name).is_file()}
