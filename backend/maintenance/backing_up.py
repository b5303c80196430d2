"""``assent backup``: by the service that runs on the data directory, or from its stores while none does."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from backend.adapters.data_directory import DataDirectoryInUse
from backend.backup.checking import WrittenBase, read_back
from backend.backup.errors import BackupFailed
from backend.backup.making import make_base, prune
from backend.backup.shelf import Shelf
from backend.backup_wiring import service_half, sources_of
from backend.maintenance.fsck import require_deployment
from backend.maintenance.running import RunningService
from backend.settings import Settings
from backend.stores import open_stores

_POLL_SECONDS: Final = 0.5


def back_up(settings: Settings) -> dict[str, Any]:
    """Make a whole backup, read it back and say what it is. A running service makes it where its own
    settings say.

    Raises BackupKeyNeeded, RecoveryKeyUnreadable, RecoveryKeyExpired, BackupUnwritable, BackupFailed,
    BackupDamaged, Unavailable errors.
    """
    require_deployment(settings)
    key = service_half(settings, clock=_clock)
    key.require_live(_clock())
    try:
        stores = open_stores(settings)
    except DataDirectoryInUse:
        return _by_the_service(settings.data_directory)
    try:
        shelf, sources = Shelf(settings.backup_folder), sources_of(stores)
        with shelf.writing():
            base = make_base(sources, shelf, key, clock=_clock)
            read_back(WrittenBase(base, key), shelf, stores.blocks)
            shelf.note_verified(base.manifest.generation, _clock())
            prune(shelf, sources, keep=settings.backup_generations, now=_clock())
    finally:
        stores.closing.close()
    manifest = base.manifest
    return {"generation": manifest.generation, "log_size": manifest.log_size, **manifest.counts}


def _by_the_service(data_directory: Path) -> dict[str, Any]:
    with closing(RunningService(data_directory)) as service:
        status = service.post("/v1/backups", {})
        while status["running"]:
            time.sleep(_POLL_SECONDS)
            status = service.get("/v1/backups")
    failure = status["error"] or status["refused"]
    if failure is not None:
        raise BackupFailed(f"the running service could not make one: {failure}")
    return status


def _clock() -> int:
    return int(time.time())
