"""What a segment holds: its size and digest, and its bytes as often as they are wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol


class Content(Protocol):
    @property
    def size_bytes(self) -> int: ...
    @property
    def sha256(self) -> bytes: ...
    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes, from the first, in pieces of at most 1 MiB or as it was given."""
        ...


class InMemory:
    """Content that is short, or had to be parsed as a whole."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size_bytes = len(data)
        self.sha256 = hashlib.sha256(data).digest()

    def pieces(self) -> Iterator[bytes]:
        yield self._data


def content_of(given: bytes | Content) -> Content:
    return InMemory(given) if isinstance(given, bytes) else given
