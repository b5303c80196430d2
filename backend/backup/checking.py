"""Checks a backup right after it was made, without the key that opens it.

Who made it still knows the keys of its files, and reads it back with them: every part is opened and every
operation decoded as a restore would, every block is what its CID names. That the recovery key opens it too,
``assent backup verify`` tells whoever has its private half.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.backup.errors import BackupDamaged, BackupIncomplete
from backend.backup.making import Base
from backend.backup.reading import Backup
from backend.backup.recovery_key import ServiceHalf
from backend.backup.shelf import Shelf
from backend.keystore import Secret
from backend.records.envelope_errors import EnvelopeRefused
from backend.records.storage_ports import BlockStore


@dataclass(frozen=True, slots=True)
class WrittenBase:
    """A base of this process, which opens it (``Opener``) until it forgets the keys of the files."""

    base: Base
    service: ServiceHalf

    def file_key(self, part: str, sealed: bytes, bound: bytes) -> Secret:  # noqa: ARG002 - see Opener
        key = self.base.file_keys.get(part)
        if key is None:
            raise EnvelopeRefused
        return key


def read_back(
    written: WrittenBase, shelf: Shelf, store: BlockStore, go_on: Callable[[], None] = lambda: None
) -> dict[str, int]:
    """Read a base whole, once, and return how much there is of what; afterwards its keys are forgotten.

    Of the live stores nothing is read but which blobs they are to keep. Raises BackupMissing where it was
    removed meanwhile, BackupDamaged for what differs, BackupIncomplete where a blob could not be copied.
    """
    base = written.base
    try:
        # ``now`` is when it was made: a key that ended since changes nothing of what lies there.
        opened = Backup(shelf, base.manifest.generation, written, now=base.manifest.made_at, parts=0)
        if opened.manifest != base.manifest:
            raise BackupDamaged("the manifest is not what was written")
        counts = opened.verify(go_on)
    finally:
        base.file_keys.clear()
    # Not those that were let go of while they were copied: erased, or collected.
    if base.damaged and not base.damaged.isdisjoint(store.pins()):
        raise BackupIncomplete
    return counts
