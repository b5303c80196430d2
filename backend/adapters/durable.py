"""Files that are really on the disk when a function returns, and directories with one owner at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Make creations, renames and removals in a directory durable (fsync(2) on the directory)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte; a plain write(2) may stop early on a full disk or at a signal."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_file(path: Path, data: bytes) -> None:
    """Put a file in place, whole or not at all, readable by the owner only; durable on return."""
    temporary = path.with_name(path.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    sync_directory(path.parent)


def shred_file(path: Path) -> None:
    """Overwrite a file with zeros, then remove it; durable on return.

    Overwriting in place is a courtesy: a journaling or copy-on-write file system, or the flash below it, may
    keep older blocks. What free blocks hold is outside the promise (docs/threat-model.md).
    """
    descriptor = os.open(path, os.O_WRONLY)
    try:
        write_all(descriptor, bytes(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()
    sync_directory(path.parent)


class OwnerLock:
    """An flock(2) on a file: held by one process, released by the kernel when that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; tell whether it was free."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    @property
    def descriptor(self) -> int | None:
        """A child that has it too holds the lock as long as it lives, also past ``release``."""
        return self._descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
