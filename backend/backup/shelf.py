"""The backup directory: generations, each a base and the tail behind it, and the blocks they share.

``<generation>/{index,keys,chain,pins,manifest}`` and ``tail-00000001`` onward; ``blocks/<shard>/<cid>``. A
base is made under a name that begins with a dot and renamed when every file of it is durable, the manifest
last. Blocks are ciphertext that may lie on IPFS for all to see; their CIDs name and check them.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from backend.adapters.durable import OwnerLock, sync_directory, write_all, write_file
from backend.backup.errors import BackupDamaged, BackupInUse, BackupMissing, BackupUnwritable
from backend.records.blocks import Block, Cid, matches, parse_cid
from backend.records.envelope_errors import NotCanonical

MANIFEST: Final = "manifest"
PINS: Final = "pins"
_VERIFIED: Final = "verified"
_GENERATION: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_TAIL: Final = re.compile(r"tail-([0-9]{8})")
_GROUP_BLOCKS: Final = 64  # written before they are synced


def new_generation(now: int) -> str:
    """Names sort by time; the random end keeps two of one second apart."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def tail_part(number: int) -> str:
    return f"tail-{number:08d}"


class Shelf:
    """Reading needs no lock. ``writing`` is for one process at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blocks = root / "blocks"
        self._lock = OwnerLock(root / "lock")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the directory; made if it is not there. Raises BackupInUse, BackupUnwritable."""
        with translated():
            self._blocks.mkdir(mode=0o700, parents=True, exist_ok=True)
            taken = self._lock.acquire()
        if not taken:
            raise BackupInUse
        try:
            yield
        finally:
            self._lock.release()

    # --- generations

    def generations(self) -> list[str]:
        """Return the whole ones, oldest first."""
        try:
            names = [path.name for path in self.root.iterdir() if _GENERATION.fullmatch(path.name)]
        except OSError as error:
            raise BackupMissing(f"{self.root}: no backup directory") from error
        return sorted(name for name in names if (self.root / name / MANIFEST).is_file())

    def newest(self) -> str:
        """Raises BackupMissing."""
        found = self.generations()
        if not found:
            raise BackupMissing
        return found[-1]

    def path(self, generation: str, part: str) -> Path:
        """Raises BackupMissing for a name that is none."""
        if not _GENERATION.fullmatch(generation):
            raise BackupMissing(f"{generation}: no name of a backup")
        return self.root / generation / part

    def tail(self, generation: str) -> int:
        """Return how many parts the tail has. Raises BackupDamaged where one is missing among them."""
        folder = self.path(generation, MANIFEST).parent
        numbers = sorted(int(found[1]) for path in folder.iterdir() if (found := _TAIL.fullmatch(path.name)))
        if numbers != list(range(1, len(numbers) + 1)):
            raise BackupDamaged("a part of the tail is missing")
        return len(numbers)

    @contextmanager
    def making(self, generation: str) -> Iterator[Path]:
        """Give a directory for the parts of a base; it gets its name when the block ends without an error."""
        building = self.root / f".{generation}"
        with translated():
            for left in self.root.glob(".*Z-*"):
                shutil.rmtree(left)  # of a run that was killed
            building.mkdir(mode=0o700)
        try:
            yield building
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        with translated():
            sync_directory(building)
            building.rename(self.root / generation)
            sync_directory(self.root)

    def remove(self, generation: str) -> None:
        """Take a generation away, its manifest first, so that no half of it is taken for a whole."""
        with translated():
            folder = self.path(generation, MANIFEST).parent
            (folder / MANIFEST).unlink(missing_ok=True)
            sync_directory(folder)
            shutil.rmtree(folder)

    def note_verified(self, generation: str, at: int) -> None:
        """Say that what lies there was read back and is right. Raises BackupUnwritable."""
        with translated():
            write_file(self.path(generation, _VERIFIED), json.dumps({"at": at}).encode())

    def verified_at(self, generation: str) -> int | None:
        """Return when it was last found to be right, unix seconds. A word, and no proof: see 'verify'."""
        try:
            return int(json.loads(self.path(generation, _VERIFIED).read_bytes())["at"])
        except (OSError, KeyError, TypeError, ValueError):
            return None

    # --- blocks

    def has_block(self, cid: Cid) -> bool:
        return self._block(cid).is_file()

    def put_blocks(self, blocks: Iterable[Block]) -> None:
        """Keep blocks, durable on return. Raises BackupUnwritable."""
        group: dict[Cid, Block] = {}
        for block in blocks:
            group[block.cid] = block
            if len(group) == _GROUP_BLOCKS:
                self._publish(group.values())
                group = {}
        self._publish(group.values())

    def block(self, cid: Cid) -> bytes:
        """Return a block that is what its CID names. Raises BackupDamaged."""
        try:
            data = self._block(cid).read_bytes()
        except OSError as error:
            raise BackupDamaged(f"block {cid} is missing or cannot be read") from error
        if not matches(cid, data):
            raise BackupDamaged(f"block {cid} is not what was written")
        return data

    def remove_block(self, cid: Cid) -> None:
        with translated():
            self._block(cid).unlink(missing_ok=True)

    def _block(self, cid: Cid) -> Path:
        try:
            checked = parse_cid(cid)
        except NotCanonical as error:
            raise BackupDamaged("a pin names no block of ours") from error
        return self._blocks / checked[-3:-1] / checked

    def _publish(self, group: Iterable[Block]) -> None:
        with translated():
            written = [(self._write(block), self._block(block.cid)) for block in group]
            for temporary, final in written:
                temporary.replace(final)
            for shard in {final.parent for _, final in written}:
                sync_directory(shard)

    def _write(self, block: Block) -> Path:
        final = self._block(block.cid)
        if not final.parent.is_dir():
            final.parent.mkdir(mode=0o700)
            sync_directory(self._blocks)
        temporary = final.with_name(f".{final.name}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            write_all(descriptor, block.data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return temporary


@contextmanager
def translated() -> Iterator[None]:
    """Raise BackupUnwritable for what the file system refuses."""
    try:
        yield
    except OSError as error:
        raise BackupUnwritable(f"the backup directory cannot be written: {error.strerror}") from error
