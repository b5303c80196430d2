"""The directory that holds all embedded stores: used by one program at a time, and never on a full disk."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path

from backend.adapters.durable import write_file
from backend.adapters.schema_version import of_directory
from backend.errors import OperatorError

MIN_FREE_BYTES = 256 * 1024 * 1024
KEPT_HOLDERS = 8


class DataDirectoryInUse(OperatorError):
    code = "data_directory_in_use"
    remedy = (
        "Another Assent runs on this data directory. Stop it, set ASSENT_DATA_DIRECTORY to another one, or "
        "let this process wait for its turn: assent up --stand-by."
    )


class DiskFull(OperatorError):
    """The room that keeps stops, denies and the audit log going is being used up."""

    code = "disk_full"
    remedy = (
        "Less than 256 MiB are free where the data directory lies: no start and no new records. "
        "Free some space."
    )


class DataDirectoryUnusable(OperatorError):
    code = "data_directory_unusable"
    remedy = "The data directory cannot be written. Check its owner and rights, or set ASSENT_DATA_DIRECTORY."


class RestoreUnfinished(OperatorError):
    """What lies there is half of a backup, or a whole one that was found to be too old."""

    code = "restore_unfinished"
    remedy = "A restore into this directory did not end. Call 'assent restore' again; see docs/backup.md."


class DataDirectory:
    """Paths of one deployment. ``lock`` is held by the kernel, so a killed program leaves none behind."""

    def __init__(self, root: Path, *, restoring: bool = False, any_schema: bool = False) -> None:
        self._restoring = restoring
        self._any_schema = any_schema
        self.root = root.resolve()
        self._lock_file: int | None = None

    @property
    def chain(self) -> Path:
        return self.root / "chain"

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def blocks(self) -> Path:
        return self.root / "blocks"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def restore_mark(self) -> Path:
        """There from before a restore's first write until all of it was found to be right."""
        return self.root / "restoring"

    def open(self) -> None:
        """Create the directory (owner only) and lock it.

        Raises DataDirectoryUnusable, DataDirectoryInUse, RestoreUnfinished or DiskFull; SchemaOlder and its
        like for what another release wrote, unless any is allowed.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock_file = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as failure:
            raise DataDirectoryUnusable from failure
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as failure:
            os.close(lock_file)
            raise DataDirectoryInUse from failure
        self._lock_file = lock_file
        try:
            if self.restore_mark.exists() and not self._restoring:
                raise RestoreUnfinished
            if not self._restoring:
                version = of_directory(self.root)
                if not self._any_schema:
                    version.require_current()
            self.check_room()
        except OperatorError:
            self.close()
            raise

    def succeed(self, holder: str) -> tuple[str, ...]:
        """Note, durably, under which name this process takes leases; return the names of those before it.

        Each of them had this directory's lock, so whoever holds it now knows that they have ended. Of a copy
        of the directory that is not known: the lock file is another one there.
        """
        notes = self.root / "holders.json"
        status = (self.root / "lock").stat()
        lock = [status.st_dev, status.st_ino]
        try:
            found = json.loads(notes.read_bytes())
            before = tuple(map(str, found["names"])) if found["lock"] == lock else ()
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            before = ()  # then the lease is waited for
        noted = {"lock": lock, "names": [*before, holder][-KEPT_HOLDERS:]}
        write_file(notes, json.dumps(noted).encode())
        return before

    def check_room(self) -> None:
        """Raise DiskFull when less than ``MIN_FREE_BYTES`` are free."""
        if self.free_bytes() < MIN_FREE_BYTES:
            raise DiskFull

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.root).free

    def close(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None
