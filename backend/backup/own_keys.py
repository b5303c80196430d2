"""Recovery keys that a service makes for itself, where nobody gave it one. For development.

They lie in a directory of their own beside the data, in clear: whoever has the disk opens the backup with
them, as ``development.key`` opens the data. So that what was erased ends in backups all the same, a new key
is made each week, and one is destroyed as soon as no backup needs it, and at the end of its life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from backend.adapters.durable import shred_file
from backend.backup.errors import BackupUnwritable, RecoveryKeyUnreadable
from backend.backup.recovery_key import ServiceHalf, generate, read_service_half, service_path

NEW_AFTER_SECONDS: Final = 7 * 24 * 3600
_ENDING: Final = ".key"


class OwnKeys:
    def __init__(self, folder: Path, *, clock: Callable[[], int]) -> None:
        self._folder = folder
        self._clock = clock

    def current(self) -> ServiceHalf:
        """Return the newest key, made where it is missing or a week old. Raises BackupUnwritable."""
        newest = max((half for _, half in self._all()), key=lambda half: half.created_at, default=None)
        now = self._clock()
        if newest is not None and newest.created_at <= now < newest.created_at + NEW_AFTER_SECONDS:
            return newest
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return generate(
                self._folder / f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}{_ENDING}", now=now
            )
        except OSError as failure:
            raise BackupUnwritable(f"no key can be kept in {self._folder}: {failure.strerror}") from failure

    def destroy_unneeded(self, needed: Iterable[bytes]) -> None:
        """Destroy the keys that have ended, and those that no backup needs. ``needed``: their ids."""
        kept, now = {*(key.hex() for key in needed), self.current().id}, self._clock()
        for path, half in list(self._all()):
            if half.id not in kept or half.expires_at <= now:
                shred_file(path)
                service_path(path).unlink()

    def _all(self) -> Iterator[tuple[Path, ServiceHalf]]:
        """Yield each private half's path, with its other half."""
        for path in sorted(self._folder.glob("*" + _ENDING)):
            try:
                yield path, read_service_half(service_path(path))
            except RecoveryKeyUnreadable:  # the program was killed between the two files
                path.unlink()
