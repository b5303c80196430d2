"""A stream that begins by saying what it is: ``magic ‖ u32 header length, big-endian ‖ header ‖ rest``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from backend.records.envelope_errors import NotCanonical

_LENGTH_BYTES: Final = 4


def beginning(magic: bytes, header: bytes) -> bytes:
    return magic + len(header).to_bytes(_LENGTH_BYTES, "big") + header


def take_header(
    stream: Iterable[bytes], magic: bytes, *, max_bytes: int, what: str
) -> tuple[bytes, Iterator[bytes]]:
    """Return the header's bytes and the rest of the stream; nothing of it is verified.

    Raises NotCanonical, saying that it is not ``what``, for another magic, a header above ``max_bytes`` and a
    stream that ends before it does.
    """
    pieces = iter(stream)
    buffer = bytearray()
    fixed = len(magic) + _LENGTH_BYTES
    end = fixed
    for piece in pieces:
        buffer += piece
        if len(buffer) < end:
            continue
        if not buffer.startswith(magic):
            break
        end = fixed + int.from_bytes(buffer[len(magic) : fixed], "big")
        if end > fixed + max_bytes:
            break
        if len(buffer) >= end:
            return bytes(buffer[fixed:end]), chain((bytes(buffer[end:]),), pieces)
    raise NotCanonical(f"not {what}")
