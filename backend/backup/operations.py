"""What a backup says, one thing after another: a base and its tail are the same kind of stream.

Each operation is a length (4 bytes, big-endian) and CBOR ``[tag, ...]``. Secrets never stand there in clear:
they are wrapped (AES-256-KW) under a key of the file they are in, bound to kind and name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import cbor2

from backend.backup.errors import BackupDamaged
from backend.keystore import KEY_KINDS, KeyKind, Secret
from backend.records import canonical
from backend.records.envelope_errors import WrapRefused
from backend.records.wrapping import unwrap, wrap

_LENGTH: Final = struct.Struct(">I")
_PIECE_BYTES: Final = 64 * 1024
_MAX_BYTES: Final = 32 << 20  # a document has 16 MB at most


class PutDocument(NamedTuple):
    collection: str
    document: bytes  # BSON


class DropDocuments(NamedTuple):
    collection: str
    matching: bytes  # the filter, as BSON


class ClearCollection(NamedTuple):
    """Every document of it follows anew."""

    collection: str


class PutSecret(NamedTuple):
    kind: KeyKind
    name: str
    secret: Secret


class DropSecret(NamedTuple):
    kind: KeyKind
    name: str


class NoteVersion(NamedTuple):
    """Where a class of keys stands whose secrets are among these: the fields of ``KeyVersion``."""

    key_class: str
    version: int
    minimum: int
    made_at: int
    logged: int


class PutPin(NamedTuple):
    root: str


class DropPin(NamedTuple):
    root: str


class PutFile(NamedTuple):
    """A small file of the data directory, by its path there."""

    name: str
    content: bytes


class Journal(NamedTuple):
    """Bytes of the embedded chain's journal from ``offset`` on."""

    offset: int
    content: bytes


Operation: TypeAlias = (
    PutDocument
    | DropDocuments
    | ClearCollection
    | PutSecret
    | DropSecret
    | NoteVersion
    | PutPin
    | DropPin
    | PutFile
    | Journal
)
_TAGS: Final[dict[str, type[Any]]] = {
    "doc": PutDocument,
    "undoc": DropDocuments,
    "clear": ClearCollection,
    "key": PutSecret,
    "unkey": DropSecret,
    "version": NoteVersion,
    "pin": PutPin,
    "unpin": DropPin,
    "file": PutFile,
    "journal": Journal,
}
_TAG_OF: Final = {kind: tag for tag, kind in _TAGS.items()}


def encode(operations: Iterable[Operation], *, wrapping: Secret) -> Iterator[bytes]:
    """Yield the stream in pieces of some 64 KiB."""
    pending: list[bytes] = []
    size = 0
    for operation in operations:
        body = cbor2.dumps(_fields(operation, wrapping))
        pending += (_LENGTH.pack(len(body)), body)
        size += len(body) + _LENGTH.size
        if size >= _PIECE_BYTES:
            yield b"".join(pending)
            pending, size = [], 0
    if pending:
        yield b"".join(pending)


def decode(stream: Iterable[bytes], *, wrapping: Secret) -> Iterator[Operation]:
    """Yield the operations of authenticated bytes. Raises BackupDamaged when they are not whole ones."""
    buffer = bytearray()
    for piece in stream:
        buffer += piece
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > _MAX_BYTES:
                raise BackupDamaged("an operation is too long")
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            yield _operation(bytes(buffer[start + _LENGTH.size : end]), wrapping)
            start = end
        del buffer[:start]
    if buffer:
        raise BackupDamaged("the last operation is cut off")


def _info(*parts: str) -> bytes:
    return canonical.encode(["assent/backup/secret/1", *parts])


def _fields(operation: Operation, wrapping: Secret) -> list[Any]:
    tag = _TAG_OF[type(operation)]
    match operation:
        case PutSecret(kind, name, secret):
            return [tag, kind, name, wrap(secret, under=wrapping, info=_info(tag, kind, name))]
    return [tag, *operation]


def _operation(body: bytes, wrapping: Secret) -> Operation:
    try:
        match cbor2.loads(body):
            case ["key", kind, name, wrapped] if kind in KEY_KINDS:
                return PutSecret(kind, name, unwrap(wrapped, under=wrapping, info=_info("key", kind, name)))
            case [tag, *fields]:
                operation: Operation = _TAGS[tag](*fields)
                return operation
    except (cbor2.CBORError, KeyError, TypeError, ValueError, WrapRefused) as error:
        raise BackupDamaged("an operation cannot be read") from error
    raise BackupDamaged("an operation cannot be read")
