"""Opening deliveries: what the service sends to whoever has a registered key."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from backend.client.keys import PrivateKey
from backend.records.delivery import Header, open_delivery
from backend.records.frame import Source, pieces_of


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
    unchecked = target.with_name(f".{target.name}.{os.getpid()}.unchecked")
    try:
        with delivery.open("rb") as sealed, open(unchecked, "xb", opener=_owner_only) as opened:
            found = open_delivery(pieces_of(sealed), key.opener)
            opened.writelines(found.document.data)
            opened.flush()
            os.fsync(opened.fileno())
        unchecked.replace(target)
    finally:
        unchecked.unlink(missing_ok=True)
    return found.header, found.document.source


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
