"""Checks a backup right after it was made, without the key that opens it.

What lies there is what was written, part by part and block by block. That it opens, ``assent backup verify``
tells whoever has the private half of the recovery key.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from backend.backup import block_copy
from backend.backup.errors import BackupDamaged
from backend.backup.making import Base
from backend.backup.sealed_file import Written
from backend.backup.shelf import MANIFEST, Shelf


def check_base(base: Base, shelf: Shelf) -> int:
    """Return how many blocks lie there. Raises BackupDamaged for what differs, or could not be copied."""
    generation = base.manifest.generation
    for part, written in base.manifest.parts.items():
        if _on_disk(shelf.path(generation, part)) != written:
            raise BackupDamaged(f"{part} is not what was written")
    if _on_disk(shelf.path(generation, MANIFEST)).sha256 != base.digest:
        raise BackupDamaged("the manifest is not what was written")
    if base.manifest.counts["damaged roots"]:
        raise BackupDamaged("some records could not be copied: 'assent fsck' names them")
    return sum(block_copy.check(shelf, root) for root in base.pins)


def _on_disk(path: Path) -> Written:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return Written(digest.digest(), file.tell())
    except OSError as error:
        raise BackupDamaged(f"{path.name} cannot be read") from error
