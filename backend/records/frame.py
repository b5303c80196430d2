"""The plaintext of a blob: what the data is, the data, and padding that hides how long it is.

``u64 data length, big-endian ‖ header ‖ data ‖ zeros up to the PADMÉ size``. The header is deterministic CBOR
``{"media_type": text, "sha256": bytes}`` inside a byte string with tag 24 (RFC 8949 section 3.4.5.1), so that
a reader knows its length before parsing it. Nothing is compressed: compression would make the size tell the
content.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import cbor2

from backend.records import canonical
from backend.records.envelope_errors import FrameInvalid, NotCanonical, SourceChanged
from backend.records.padding import padded_size

PIECE_BYTES: Final = 1 << 20  # nothing larger is held in memory
_READ_BYTES: Final = 128 * 1024  # the memory of larger pieces would be fresh, and cleared, each time
_ZEROS: Final = bytes(PIECE_BYTES)
_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[\x21-\x7e ]{1,127}"
)  # RFC 6838, with parameters
_MAX_HEAD_BYTES: Final = 512
_FIELDS: Final[dict[str, type]] = {"media_type": str, "sha256": bytes}


@dataclass(frozen=True, slots=True)
class Source:
    """What a document is, known before its first byte is encrypted."""

    media_type: str
    size_bytes: int
    sha256: bytes  # of the document

    def __post_init__(self) -> None:
        if _MEDIA_TYPE.fullmatch(self.media_type) is None:
            raise ValueError("not a media type")
        if not 0 <= self.size_bytes < 2**63 or len(self.sha256) != 32:
            raise ValueError("not a size and a SHA-256 digest")

    @property
    def framed_size(self) -> int:
        """The frame's size in bytes, padding included."""
        return padded_size(len(_encode_head(self)) + self.size_bytes)


def describe(data: bytes, media_type: str) -> Source:
    return Source(media_type, len(data), hashlib.sha256(data).digest())


def describe_stream(stream: BinaryIO, media_type: str) -> Source:
    """Read a seekable stream once from its position, then go back there. Constant memory."""
    start = stream.tell()
    digest, size = hashlib.sha256(), 0
    while piece := stream.read(_READ_BYTES):
        digest.update(piece)
        size += len(piece)
    stream.seek(start)
    return Source(media_type, size, digest.digest())


def pieces_of(stream: BinaryIO) -> Iterator[bytes]:
    """Read a stream in pieces of at most 128 KiB."""
    while piece := stream.read(_READ_BYTES):
        yield piece


def _encode_head(source: Source) -> bytes:
    header = canonical.encode({"media_type": source.media_type, "sha256": source.sha256})
    return source.size_bytes.to_bytes(8, "big") + canonical.encode(cbor2.CBORTag(24, header))


def frame(source: Source, data: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the frame of a document; raise SourceChanged when the data is not the one described."""
    head = _encode_head(source)
    yield head
    digest, size = hashlib.sha256(), 0
    for piece in data:
        size += len(piece)
        if size > source.size_bytes:
            raise SourceChanged
        digest.update(piece)
        yield piece
    if size != source.size_bytes or digest.digest() != source.sha256:
        raise SourceChanged
    padding = source.framed_size - len(head) - size
    while padding:
        piece = _ZEROS[: min(padding, PIECE_BYTES)]
        padding -= len(piece)
        yield piece


def _header_extent(buffer: bytes | bytearray) -> tuple[int, int] | None:
    """Return where the inner header begins and ends, or None while more bytes are needed."""
    if len(buffer) < 13:
        return None
    if buffer[8:10] != b"\xd8\x18":
        raise FrameInvalid
    kind = buffer[10]
    if 0x40 <= kind < 0x58:
        return 11, 11 + kind - 0x40
    if kind == 0x58:
        return 12, 12 + buffer[11]
    if kind == 0x59:
        return 13, 13 + int.from_bytes(buffer[11:13], "big")
    raise FrameInvalid


class FrameReader:
    """Takes a frame apart as it arrives. ``source`` is there as soon as the header has been fed."""

    def __init__(self) -> None:
        self.source: Source | None = None
        self._head = bytearray()
        self._head_size = 0
        self._data_left = 0
        self._padding_seen = 0
        self._digest = hashlib.sha256()

    def feed(self, plaintext: bytes) -> bytes:
        """Return the part of the piece that is document data; raise FrameInvalid on anything malformed."""
        if self.source is None:
            self._head += plaintext
            plaintext = self._take_head()
            if self.source is None:
                return b""
        if len(plaintext) <= self._data_left:
            data = plaintext
        else:
            data = plaintext[: self._data_left]
            padding = plaintext[self._data_left :]
            if padding.count(0) != len(padding):
                raise FrameInvalid
            self._padding_seen += len(padding)
        self._data_left -= len(data)
        self._digest.update(data)
        return data

    def finish(self) -> None:
        """Raise FrameInvalid unless the frame is complete, rightly padded, and its digest fits."""
        source = self.source
        if source is None or self._data_left:
            raise FrameInvalid
        if self._head_size + source.size_bytes + self._padding_seen != source.framed_size:
            raise FrameInvalid
        if self._digest.digest() != source.sha256:
            raise FrameInvalid

    def _take_head(self) -> bytes:
        extent = _header_extent(self._head)
        if extent is None:
            return b""
        begin, end = extent
        if end > _MAX_HEAD_BYTES:
            raise FrameInvalid
        if len(self._head) < end:
            return b""
        head, rest = bytes(self._head[:end]), bytes(self._head[end:])
        try:
            fields = canonical.decode_map(head[begin:], _FIELDS)
            source = Source(fields["media_type"], int.from_bytes(head[:8], "big"), fields["sha256"])
        except (NotCanonical, ValueError) as error:
            raise FrameInvalid from error
        if _encode_head(source) != head:
            raise FrameInvalid
        self.source, self._head_size, self._data_left = source, end, source.size_bytes
        self._head.clear()
        return rest
