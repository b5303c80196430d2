"""Opening deliveries: what the service sends to whoever has a registered key."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backend.client.keys import PrivateKey
from backend.records.delivery import Header, open_delivery
from backend.records.frame import Source, pieces_of
from backend.research.datasets.sealed import MAGIC, ReleaseHeader, open_release


@dataclass(frozen=True, slots=True)
class OpenedSegment:
    """A segment that was sealed to a key, complete and authentic."""

    header: Header  # which segment of which record this is
    source: Source  # media type, size in bytes and SHA-256
    content: bytes


def open_segment(delivery: Iterable[bytes], key: PrivateKey) -> OpenedSegment:
    """Open a delivery in memory, whole or not at all. Raises as ``delivery.open_delivery``."""
    opened = open_delivery(delivery, key.opener)
    return OpenedSegment(opened.header, opened.document.source, b"".join(opened.document.data))


def open_file(delivery: Path, key: PrivateKey, target: Path) -> tuple[Header, Source]:
    """Open a delivery's file into another, in constant memory. The target appears once all was checked.

    Raises as ``delivery.open_delivery``, and OSError; then there is no target.
    """
    with delivery.open("rb") as sealed, _checked(target) as opened:
        found = open_delivery(pieces_of(sealed), key.opener)
        opened.writelines(found.document.data)
    return found.header, found.document.source


def is_release(file: Path) -> bool:
    """Whether a file begins as what a study released does. Raises OSError."""
    with file.open("rb") as sealed:
        return sealed.read(len(MAGIC)) == MAGIC


def open_release_file(delivery: Path, key: PrivateKey, target: Path) -> tuple[ReleaseHeader, Source]:
    """Open the file of a released dataset, or of released records, in the same way: what comes out is a ZIP.

    Raises as ``datasets.sealed.open_release``, and OSError; then there is no target.
    """
    with delivery.open("rb") as sealed, _checked(target) as opened:
        found = open_release(pieces_of(sealed), key.opener)
        opened.writelines(found.document.data)
    return found.header, found.document.source


@contextmanager
def _checked(target: Path) -> Iterator[BinaryIO]:
    """A file that takes its name when the block has ended well, and else is none."""
    unchecked = target.with_name(f".{target.name}.{os.getpid()}.unchecked")
    try:
        with open(unchecked, "xb", opener=_owner_only) as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        unchecked.replace(target)
    finally:
        unchecked.unlink(missing_ok=True)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
