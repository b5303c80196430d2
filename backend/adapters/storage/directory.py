"""The embedded block store: one file a block in a directory of this machine, pins in a small SQLite file.

Layout: ``data/<shard>/<cid>`` (the shard is the two characters before the last, as in IPFS's flatfs),
``incoming/`` for files not yet complete, ``pins.db``, ``lock``.
"""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.adapters.durable import OwnerLock, sync_directory, write_all
from backend.adapters.storage.failures import translated
from backend.adapters.storage.pin_table import PinTable
from backend.adapters.storage.writers import Writers
from backend.records.blocks import Block, Cid, matches, parse_cid
from backend.records.envelope_errors import NotCanonical
from backend.records.storage_ports import (
    BlockCorrupt,
    BlockMissing,
    Collected,
    Pin,
    StorageFull,
    StorageInUse,
    StorageUnavailable,
)

_GROUP_BLOCKS: Final = 128  # files written before the disk is synced: bounds open descriptors
_MAX_BLOCK_BYTES: Final = 2 << 20  # the largest block any IPFS implementation exchanges


def _content(name: str) -> bytes:
    # Plain calls: a file object and a Path cost more than the read, and every read comes through here.
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = min(os.fstat(descriptor).st_size, _MAX_BLOCK_BYTES)
        data = os.read(descriptor, size)
        while len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A block written to a file of its own, not yet synced and without its name."""

    descriptor: int
    temporary: Path
    final: Path

    def discard(self) -> None:
        with suppress(OSError):
            os.close(self.descriptor)
        with suppress(OSError):
            self.temporary.unlink(missing_ok=True)


class DirectoryBlockStore:
    """A ``BlockStore`` in a directory, owned by one process at a time. Raises StorageInUse on opening.

    Writing raises StorageFull while less than ``reserve_bytes`` of the disk are free: blocks are the bulk of
    what is stored, and must leave room for the stops and the audit log beside them.
    """

    def __init__(self, directory: Path, *, reserve_bytes: int = 0) -> None:
        self._reserve_bytes = reserve_bytes
        self._data = directory / "data"
        self._incoming = directory / "incoming"
        self._numbers = itertools.count()
        self._shards: set[str] = set()
        # Between a pin's check that blocks exist and its commit, no collection may run.
        self._pinning = threading.Lock()
        self._writers = Writers()
        with translated():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = OwnerLock(directory / "lock")
            if not self._lock.acquire():
                raise StorageInUse
            # What an earlier process left unfinished was never acknowledged.
            shutil.rmtree(self._incoming, ignore_errors=True)
            self._incoming.mkdir(mode=0o700)
            self._data.mkdir(mode=0o700, exist_ok=True)
            self._pins = PinTable(directory / "pins.db")
            sync_directory(directory)
        self._open = True

    def put_block(self, cid: Cid, data: bytes) -> None:
        self.put_blocks([Block(cid, data)])

    def put_blocks(self, blocks: Iterable[Block]) -> None:
        self._require_open()
        with translated():
            if shutil.disk_usage(self._data).free < self._reserve_bytes:
                raise StorageFull
        group: list[_Incoming] = []
        try:
            for block in blocks:
                group.append(self._write(block))
                if len(group) == _GROUP_BLOCKS:
                    self._publish(group)
                    group.clear()
            self._publish(group)
            group.clear()
        finally:
            for incoming in group:
                incoming.discard()

    def get_block(self, cid: Cid) -> bytes:
        self._require_open()
        with translated():
            try:
                data = _content(self._name(cid))
            except FileNotFoundError:
                if not self._data.is_dir():
                    raise
                raise BlockMissing from None
        if not matches(cid, data):
            raise BlockCorrupt
        return data

    def has(self, cid: Cid) -> bool:
        self._require_open()
        return self._path(cid).is_file()

    def pin(self, root: Cid, children: tuple[Cid, ...]) -> None:
        self.pin_all([Pin(root, children)])

    def pin_all(self, pins: Iterable[Pin]) -> None:
        self._require_open()
        wanted = list(pins)
        with self._pinning, translated():
            for pin in wanted:
                if not all(self._path(cid).is_file() for cid in (pin.root, *pin.children)):
                    raise BlockMissing
            self._pins.add(wanted)

    def unpin(self, root: Cid) -> None:
        self._require_open()
        with self._pinning, translated():
            self._pins.remove(parse_cid(root))

    def pins(self) -> Iterator[Cid]:
        self._require_open()
        with translated():
            yield from self._pins.roots()

    def keeps(self, pin: Pin) -> bool:
        self._require_open()
        with translated():
            return self._pins.kept_for(pin.root) >= {pin.root, *pin.children}

    def writing(self) -> AbstractContextManager[None]:
        return self._writers.writing()

    def collect_garbage(self) -> Collected:
        self._require_open()
        blocks = size = 0
        with self._writers.none(), translated():
            for shard in sorted(self._data.iterdir()):
                # One shard at a time, so that a long collection never holds up pinning.
                with self._pinning:
                    removed = [path for path in shard.iterdir() if not self._is_kept(path.name)]
                    for path in removed:
                        size += path.stat().st_size
                        path.unlink()
                    if removed:
                        sync_directory(shard)
                blocks += len(removed)
        return Collected(blocks, size)

    def check(self) -> None:
        self._require_open()
        with translated():
            if not self._data.is_dir():
                raise StorageUnavailable
            self._pins.check()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._pins.close()
            self._lock.release()

    def _require_open(self) -> None:
        if not self._open:
            raise StorageUnavailable("the block directory is closed")

    def _path(self, cid: Cid) -> Path:
        return Path(self._name(cid))

    def _name(self, cid: Cid) -> str:
        checked = parse_cid(cid)  # text from a manifest or a pin never becomes a path unchecked
        return f"{self._data}{os.sep}{checked[-3:-1]}{os.sep}{checked}"

    def _is_kept(self, name: str) -> bool:
        try:
            return self._pins.covers(parse_cid(name))
        except NotCanonical:
            return True  # not ours: leave it for a person to look at

    def _write(self, block: Block) -> _Incoming:
        if not matches(block.cid, block.data):
            raise BlockCorrupt
        with translated():
            temporary = self._incoming / str(next(self._numbers))
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            incoming = _Incoming(descriptor, temporary, self._path(block.cid))
            try:
                write_all(descriptor, block.data)
            except OSError:
                incoming.discard()
                raise
            return incoming

    def _publish(self, group: list[_Incoming]) -> None:
        """Sync a group's files, give them their names, sync their directories."""
        with translated():
            for incoming in group:
                os.fsync(incoming.descriptor)
            # A block that exists is replaced, not skipped: that repairs a damaged copy.
            for incoming in group:
                self._make_shard(incoming.final.parent)
                incoming.temporary.replace(incoming.final)
                os.close(incoming.descriptor)
            for shard in {incoming.final.parent for incoming in group}:
                sync_directory(shard)

    def _make_shard(self, shard: Path) -> None:
        if shard.name not in self._shards:
            shard.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self._data)
            self._shards.add(shard.name)
