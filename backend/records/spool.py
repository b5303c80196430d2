"""A document on its way in: counted, hashed, and kept until it can be sealed.

Sealing needs size and digest before the first byte, so the body waits. Up to 1 MiB waits in memory; more
goes to a scratch file, encrypted under a key that is only in this process's memory: what a crash leaves of it
is noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Final, Protocol

from backend.errors import TooLarge
from backend.keystore import Secret
from backend.records.envelope import Encryption, decrypt
from backend.records.envelope_errors import EnvelopeRefused
from backend.records.storage_ports import StorageUnavailable

IN_MEMORY_BYTES: Final = 1 << 20
_CONTEXT: Final = b"assent/scratch/1"


class ScratchFile(Protocol):
    """A file that is gone when it is closed. Raises StorageFull and StorageUnavailable."""

    def write(self, data: bytes) -> None: ...
    def read_again(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class Scratch(Protocol):
    """Room for what is on its way."""

    def require_room(self, size_bytes: int) -> None:
        """Raise StorageFull unless a document of this size can wait here and be stored besides."""

    def new(self) -> ScratchFile: ...


class Spool:
    """``add`` pieces, then ``finish``; from then on it is ``Content``. Closing it leaves nothing behind."""

    def __init__(self, scratch: Scratch, *, limit_bytes: int) -> None:
        self._scratch = scratch
        self._limit_bytes = limit_bytes
        self._digest = hashlib.sha256()
        self._short: list[bytes] = []
        self._key = Secret.generate()
        self._file: ScratchFile | None = None
        self._encryption: Encryption | None = None
        self.size_bytes = 0

    def add(self, piece: bytes) -> None:
        """Raises TooLarge, StorageFull, StorageUnavailable."""
        self.size_bytes += len(piece)
        if self.size_bytes > self._limit_bytes:
            raise TooLarge
        self._digest.update(piece)
        if self._file is None:
            self._short.append(piece)
            if self.size_bytes <= IN_MEMORY_BYTES:
                return
            self._file, self._encryption = self._scratch.new(), Encryption(self._key, _CONTEXT)
            waiting, self._short = self._short, []
        else:
            waiting = [piece]
        if self._encryption is not None:
            for data in waiting:
                for part in self._encryption.add(data):
                    self._file.write(part)

    def finish(self) -> None:
        if self._file is not None and self._encryption is not None:
            self._file.write(self._encryption.finish())
            self._encryption = None

    @property
    def sha256(self) -> bytes:
        return self._digest.digest()

    def pieces(self) -> Iterator[bytes]:
        if self._file is None:
            yield from self._short
            return
        try:
            yield from decrypt(self._file.read_again(), key=self._key, context=_CONTEXT)
        except EnvelopeRefused as failure:
            raise StorageUnavailable("the scratch file is not what was written") from failure

    def close(self) -> None:
        self._short.clear()
        if self._file is not None:
            with suppress(StorageUnavailable):
                self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
