"""The write-ahead journal of the embedded chain: what a block will hold, durable before the block is made.

File: a sequence of frames, each ``magic 4 | length u32 | crc32 u32 | kind u8 | payload`` (big-endian);
the CRC covers length, kind and payload. A frame that a crash cut short is dropped; a frame that fails
its check with a whole frame behind it cannot be the work of a crash and is refused.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from backend.adapters.durable import sync_directory
from backend.adapters.ledger.errors import JournalDamaged, JournalUnwritable
from backend.types import Bytes32, UnixSeconds

_MAGIC = b"\xa5\x5eJ1"
_HEADER = struct.Struct(">4sII")
_BLOCK = struct.Struct(">32sQI")
_LENGTH = struct.Struct(">I")
MAX_PAYLOAD_BYTES = 256 * 2**20


class Frame(IntEnum):
    GENESIS = 0  # JSON: what the chain was started with, and the hash of block 0
    BLOCK = 1  # a block about to be made
    SEALED = 2  # hash of the block made from the frame before it


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block about to be made: its parent's hash, its time and its signed transactions in order.

    ``runs`` divides the transactions into stretches of one sender each. The node orders those by nonce,
    so one request may carry a stretch; between stretches only the order of arrival counts.
    """

    parent_hash: Bytes32
    timestamp: UnixSeconds
    transactions: tuple[bytes, ...]
    runs: tuple[int, ...]

    def encode(self) -> bytes:
        parts = [_BLOCK.pack(self.parent_hash, self.timestamp, len(self.runs))]
        parts += [_LENGTH.pack(run) for run in self.runs]
        parts += [_LENGTH.pack(len(raw)) + raw for raw in self.transactions]
        return b"".join(parts)

    @classmethod
    def decode(cls, payload: bytes) -> BlockRecord:
        parent_hash, timestamp, run_count = _BLOCK.unpack_from(payload)
        runs = struct.unpack_from(f">{run_count}I", payload, _BLOCK.size)
        position = _BLOCK.size + run_count * _LENGTH.size
        transactions = []
        for _ in range(sum(runs)):
            (size,) = _LENGTH.unpack_from(payload, position)
            position += _LENGTH.size
            transactions.append(payload[position : position + size])
            position += size
        return cls(Bytes32(parent_hash), UnixSeconds(timestamp), tuple(transactions), runs)

    def stretches(self) -> Iterator[tuple[bytes, ...]]:
        """Yield the transactions of each run."""
        position = 0
        for run in self.runs:
            yield self.transactions[position : position + run]
            position += run


@dataclass(frozen=True, slots=True)
class Entry:
    """One whole frame and where it lies in the file, in bytes."""

    kind: Frame
    payload: bytes
    start: int
    end: int


class Journal:
    """Append-only file with one writer. ``append`` returns after fsync unless told otherwise."""

    def __init__(self, path: Path) -> None:
        """Open or create; drop a torn tail. Raise JournalDamaged where a whole frame follows a broken one."""
        created = not path.exists()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._path = path
        self._broken = False
        try:
            self.size_bytes = 0
            for entry in self._scan(0):
                self.size_bytes = entry.end
            if self.size_bytes != os.fstat(self._fd).st_size:
                os.ftruncate(self._fd, self.size_bytes)
                os.fsync(self._fd)
            if created:
                sync_directory(path.parent)
        except BaseException:
            os.close(self._fd)
            raise

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Yield the frames from byte ``start``, which must be a frame's border."""
        return self._scan(start)

    def append(self, kind: Frame, payload: bytes, *, durable: bool = True) -> int:
        """Write one frame; return where it begins. Raise JournalUnwritable and leave the file as it was."""
        if self._broken:
            raise JournalUnwritable("The journal failed before and is closed for writing.")
        start = self.size_bytes
        body = bytes([kind]) + payload
        length = _LENGTH.pack(len(payload))
        frame = _HEADER.pack(_MAGIC, len(payload), zlib.crc32(length + body)) + body
        try:
            written = 0
            while written < len(frame):
                written += os.pwrite(self._fd, frame[written:], start + written)
        except OSError as error:
            self.cut(start)
            raise JournalUnwritable(f"Writing the chain journal failed: {error.strerror}.") from error
        if durable:
            self._sync()
        self.size_bytes = start + len(frame)
        return start

    def cut(self, start: int) -> None:
        """Forget everything from byte ``start`` on, durably: a block that was refused never was."""
        try:
            os.ftruncate(self._fd, start)
        except OSError as error:
            self._broken = True
            raise JournalUnwritable(f"Cutting the chain journal failed: {error.strerror}.") from error
        self._sync()
        self.size_bytes = start

    def close(self) -> None:
        os.fsync(self._fd)
        os.close(self._fd)

    def _sync(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as error:
            # After a failed fsync the kernel may have dropped the pages: nothing later can be trusted.
            self._broken = True
            raise JournalUnwritable(f"Syncing the chain journal failed: {error.strerror}.") from error

    def _scan(self, start: int) -> Iterator[Entry]:
        size = os.fstat(self._fd).st_size
        position = start
        while position < size:
            entry = self._frame_at(position, size)
            if entry is None:
                if self._has_frame_behind(position + 1, size):
                    raise JournalDamaged(f"The chain journal is damaged at byte {position}.")
                return
            yield entry
            position = entry.end

    def _frame_at(self, position: int, size: int) -> Entry | None:
        head = os.pread(self._fd, _HEADER.size, position)
        if len(head) < _HEADER.size:
            return None
        magic, length, crc = _HEADER.unpack(head)
        end = position + _HEADER.size + 1 + length
        if magic != _MAGIC or length > MAX_PAYLOAD_BYTES or end > size:
            return None
        body = os.pread(self._fd, length + 1, position + _HEADER.size)
        if zlib.crc32(_LENGTH.pack(length) + body) != crc or body[0] not in Frame._value2member_map_:
            return None
        return Entry(Frame(body[0]), body[1:], position, end)

    def _has_frame_behind(self, position: int, size: int) -> bool:
        """Look for a whole frame after ``position``: it tells damage from a write that a crash cut short."""
        rest = os.pread(self._fd, size - position, position)
        found = rest.find(_MAGIC)
        while found >= 0:
            if self._frame_at(position + found, size) is not None:
                return True
            found = rest.find(_MAGIC, found + 1)
        return False
