"""A ZIP archive written while it is being sent, in constant memory, with a digest of every file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import RawIOBase
from typing import Final

CHUNK_BYTES: Final = 64 * 1024


class _Pipe(RawIOBase):
    """Takes what the ZIP writer writes until it is asked for. It cannot seek, and the writer knows how to
    do without."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


class ArchiveWriter:
    """Yields the archive's bytes as files are added; ``digests`` has the SHA-256 of each file's content."""

    def __init__(self, *, made_at: int) -> None:
        self._pipe = _Pipe()
        self._zip = zipfile.ZipFile(self._pipe, "w", zipfile.ZIP_DEFLATED)
        self._date = datetime.fromtimestamp(made_at, UTC).timetuple()[:6]
        self.digests: dict[str, str] = {}

    def add(self, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
        """Add one file. Take all that is yielded before adding the next."""
        info = zipfile.ZipInfo(name, self._date)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        digest = hashlib.sha256()
        with self._zip.open(info, "w", force_zip64=True) as file:
            for piece in content:
                digest.update(piece)
                for start in range(0, len(piece), CHUNK_BYTES):
                    file.write(piece[start : start + CHUNK_BYTES])
                    yield self._pipe.taken()
        self.digests[name] = digest.hexdigest()
        yield self._pipe.taken()

    def end(self) -> Iterator[bytes]:
        """Write the archive's directory."""
        self._zip.close()
        yield self._pipe.taken()
