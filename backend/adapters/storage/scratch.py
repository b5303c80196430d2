"""Scratch files of the data directory: each loses its name as soon as it is open.

So the kernel frees it when it is closed, or when the process ends, however that ends. Only a kill between the
two calls leaves a name behind; the next start removes it.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backend.adapters.durable import write_all
from backend.adapters.storage.failures import translated
from backend.records.storage_ports import StorageFull

_READ_BYTES: Final = 128 * 1024
_COPIES: Final = 2  # of a document while it is stored: here and in the block store
_OVERHEAD: Final = 8  # an eighth: padding and tags


class OpenScratchFile:
    """A ``ScratchFile``. What is written takes room that must stay free for stops and the audit log last."""

    def __init__(self, descriptor: int, *, reserve_bytes: int) -> None:
        self._descriptor: int | None = descriptor
        self._reserve_bytes = reserve_bytes

    def write(self, data: bytes) -> None:
        with translated():
            _require_free(os.fstatvfs(self._open()), self._reserve_bytes + len(data))
            write_all(self._open(), data)

    def read_again(self) -> Iterator[bytes]:
        position = 0
        while True:
            with translated():
                piece = os.pread(self._open(), _READ_BYTES, position)
            if not piece:
                return
            position += len(piece)
            yield piece

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with translated():
                os.close(descriptor)

    def _open(self) -> int:
        if self._descriptor is None:
            raise OSError("the scratch file is closed")
        return self._descriptor


class ScratchDirectory:
    """A ``Scratch`` below the data directory, which one process uses at a time."""

    def __init__(self, directory: Path, *, reserve_bytes: int) -> None:
        self._directory = directory
        self._reserve_bytes = reserve_bytes
        with translated():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(mode=0o700, parents=True)

    def require_room(self, size_bytes: int) -> None:
        needed = _COPIES * (size_bytes + size_bytes // _OVERHEAD)
        with translated():
            _require_free(os.statvfs(self._directory), self._reserve_bytes + needed)

    def new(self) -> OpenScratchFile:
        path = self._directory / secrets.token_hex(8)
        with translated():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            path.unlink()
        return OpenScratchFile(descriptor, reserve_bytes=self._reserve_bytes)


def _require_free(found: os.statvfs_result, size_bytes: int) -> None:
    if found.f_bavail * found.f_frsize < size_bytes:
        raise StorageFull
