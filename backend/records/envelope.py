"""Sealing a document into ciphertext and opening it again, streaming and in constant memory.

``CEK = HKDF-SHA-512(salt = erasure share, ikm = DEK, info = context)`` (RFC 5869): both shares are needed, so
destroying the erasure share makes every copy of the ciphertext unreadable. The cipher is Cobblestone-256, the
C2SP chunked-encryption format with AES-256-GCM: 16 KiB chunks, each with its tag; it commits to key and
context and notices truncation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.keystore import Secret
from backend.records.context import DEFAULT_SUITES, ContentContext, SuiteNumber, require_suite
from backend.records.envelope_errors import EnvelopeRefused, FrameInvalid
from backend.records.frame import FrameReader, Source, describe, frame
from backend.records.padding import padded_size

_CHUNK_BYTES: Final = 16 * 1024  # plaintext of one chunk of the format
# What the cipher is given at a time. Small enough that its output's memory is used again while in the cache:
# with 1 MiB at a time a third of the time goes into fresh pages.
_PART_BYTES: Final = 256 * 1024
_TAG_BYTES: Final = 16
_HEADER_BYTES: Final = 56  # the format's nonce and commitment


def ciphertext_size(plaintext_size: int) -> int:
    """Return the exact size of a Cobblestone-256 ciphertext; a last chunk is always there, if only empty."""
    return _HEADER_BYTES + plaintext_size + _TAG_BYTES * (plaintext_size // _CHUNK_BYTES + 1)


def is_ciphertext_size(size_bytes: int) -> bool:
    """Tell whether some padded frame gives a ciphertext of this size."""
    chunks = max(0, size_bytes - _HEADER_BYTES - 1) // (_CHUNK_BYTES + _TAG_BYTES) + 1
    framed = size_bytes - _HEADER_BYTES - _TAG_BYTES * chunks
    return framed >= 0 and padded_size(framed) == framed and ciphertext_size(framed) == size_bytes


def sealed_size(source: Source) -> int:
    """Return the size in bytes of what ``seal`` yields in all."""
    return ciphertext_size(source.framed_size)


def content_key(dek: Secret, erasure_share: Secret, context: ContentContext) -> Secret:
    """Derive the content key from its two shares, bound to the context."""
    info = context.encode("assent/content-key/1")
    return Secret(
        HKDF(algorithm=SHA512(), length=32, salt=erasure_share.reveal(), info=info).derive(dek.reveal())
    )


class Encryption:
    """``encrypt`` for a writer that is given the pieces one by one."""

    def __init__(self, key: Secret, context: bytes) -> None:
        self._cipher = Cobblestone256Encryptor(key.reveal(), context)

    def add(self, piece: bytes | memoryview) -> Iterator[bytes]:
        """Yield what comes out of a piece of any size, about 256 KiB at a time; take all of it."""
        for part in _parts(piece):
            if out := self._cipher.update(part):
                yield out

    def finish(self) -> bytes:
        return self._cipher.finalize()


def encrypt(plaintext: Iterable[bytes | memoryview], *, key: Secret, context: bytes) -> Iterator[bytes]:
    """Encrypt a stream of pieces of any size; yields pieces of about 256 KiB at most."""
    encryption = Encryption(key, context)
    for piece in plaintext:
        yield from encryption.add(piece)
    yield encryption.finish()


def decrypt(ciphertext: Iterable[bytes | memoryview], *, key: Secret, context: bytes) -> Iterator[bytes]:
    """Decrypt a stream. Yields only bytes whose chunk tag was checked; EnvelopeRefused at the first bad one.

    A stream cut at a chunk's end is noticed at the end: a consumer that must not act on a part waits for it.
    """
    cipher = Cobblestone256Decryptor(key.reveal(), context)
    try:
        for piece in ciphertext:
            for part in _parts(piece):
                if out := cipher.update(part):
                    yield out
        last = cipher.finalize()
    except InvalidTag as error:
        raise EnvelopeRefused from error
    if last:
        yield last


def _parts(piece: bytes | memoryview) -> Iterator[bytes | memoryview]:
    if len(piece) <= _PART_BYTES:
        yield piece
        return
    view = memoryview(piece)
    for start in range(0, len(piece), _PART_BYTES):
        yield view[start : start + _PART_BYTES]


def seal(
    data: Iterable[bytes],
    *,
    source: Source,
    context: ContentContext,
    dek: Secret,
    erasure_share: Secret,
    allowed_suites: frozenset[SuiteNumber] = DEFAULT_SUITES,
) -> Iterator[bytes]:
    """Yield the ciphertext of a document, ``sealed_size(source)`` bytes in all.

    Raises SuiteRefused at once; SourceChanged on the way when the data is not what ``source`` says (discard
    what was yielded).
    """
    require_suite(context.suite, allowed_suites)
    key = content_key(dek, erasure_share, context)
    return encrypt(frame(source, data), key=key, context=context.encode("assent/content/1"))


def seal_bytes(
    data: bytes, media_type: str, *, context: ContentContext, dek: Secret, erasure_share: Secret
) -> Iterator[bytes]:
    """``seal`` for a document that is in memory."""
    return seal(
        (data,), source=describe(data, media_type), context=context, dek=dek, erasure_share=erasure_share
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """An authenticated header and the document behind it.

    Iterating ``data`` yields authenticated pieces and raises EnvelopeRefused or FrameInvalid when a later one
    is not; only after it ends without an error is the document known to be complete.
    """

    source: Source
    data: Iterator[bytes]


def open_(
    ciphertext: Iterable[bytes],
    *,
    context: ContentContext,
    dek: Secret,
    erasure_share: Secret,
    allowed_suites: frozenset[SuiteNumber] = DEFAULT_SUITES,
) -> Opened:
    """Open a sealed document. Reads what the header needs; nothing comes out before its tag was checked.

    Raises SuiteRefused, EnvelopeRefused (not authentic under these keys and this context), FrameInvalid.
    """
    require_suite(context.suite, allowed_suites)
    key = content_key(dek, erasure_share, context)
    return unframe(decrypt(ciphertext, key=key, context=context.encode("assent/content/1")))


def unframe(plaintext: Iterator[bytes]) -> Opened:
    """Take the frame off authenticated plaintext, reading what its header needs. Raises FrameInvalid."""
    reader = FrameReader()
    first = b""
    for piece in plaintext:
        first = reader.feed(piece)
        if reader.source is not None:
            break
    if reader.source is None:
        raise FrameInvalid
    return Opened(reader.source, _rest(reader, first, plaintext))


def _rest(reader: FrameReader, first: bytes, plaintext: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    for piece in plaintext:
        if data := reader.feed(piece):
            yield data
    reader.finish()


def open_bytes(
    ciphertext: Iterable[bytes], *, context: ContentContext, dek: Secret, erasure_share: Secret
) -> tuple[Source, bytes]:
    """Open a whole document or nothing: returns only after the last check has passed."""
    opened = open_(ciphertext, context=context, dek=dek, erasure_share=erasure_share)
    return opened.source, b"".join(opened.data)
