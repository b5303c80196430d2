"""One encrypted file of a backup, written whole or not at all and read in constant memory.

``magic | length u16 | header | Cobblestone-256 ciphertext``. The header (deterministic CBOR) names the
recovery key, the generation, the part and the digest of the file before it, and carries a file key sealed
to the recovery key (HPKE, X-Wing); all of it is bound as HPKE ``info`` and as the cipher's context. The
content key is HKDF-SHA-512 (RFC 5869) over the file key with the service half's token as salt.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.adapters.durable import sync_directory, write_all
from backend.backup import operations
from backend.backup.errors import BackupDamaged, BackupUnwritable, RecoveryKeyDiffers
from backend.backup.operations import Operation
from backend.backup.recovery_key import ServiceHalf
from backend.keystore import Secret
from backend.records import canonical
from backend.records.envelope import decrypt, encrypt
from backend.records.envelope_errors import EnvelopeRefused, NotCanonical, WrapRefused
from backend.records.wrapping import derive_key

_MAGIC: Final = b"assent-backup/1\n"
_LENGTH: Final = struct.Struct(">H")
_READ_BYTES: Final = 1 << 20
_FIELDS: Final[dict[str, type]] = {
    "at": int,
    "expires": int,
    "generation": str,
    "key": bytes,
    "part": str,
    "previous": bytes,
    "sealed": bytes,
}


@dataclass(frozen=True, slots=True)
class Header:
    """What can be read without a key; nothing of it counts before the file has opened."""

    generation: str
    part: str
    previous: bytes  # SHA-256 of the file that this one goes on from; empty for a base
    at: int  # unix seconds when it was begun
    expires: int  # unix seconds when the recovery key ends
    key: bytes  # id of the recovery key
    sealed: bytes = b""  # the file key

    def bound(self) -> bytes:
        return canonical.encode(["assent/backup/1", self._fields()])

    def encode(self) -> bytes:
        return canonical.encode({**self._fields(), "sealed": self.sealed})

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _FIELDS if name != "sealed"}


@dataclass(frozen=True, slots=True)
class Written:
    sha256: bytes
    size_bytes: int


class Opener(Protocol):
    """What opens files: a recovery key, or what wrote them and still knows their keys."""

    @property
    def service(self) -> ServiceHalf: ...

    def file_key(self, part: str, sealed: bytes, bound: bytes) -> Secret:
        """Return the key of one file. Raises EnvelopeRefused."""


def write(
    path: Path,
    contents: Iterable[Operation],
    *,
    to: ServiceHalf,
    generation: str,
    part: str,
    at: int,
    previous: bytes = b"",
    file_key: Secret | None = None,
) -> Written:
    """Write a part, durable and complete on return. Raises BackupUnwritable; errors of ``contents`` pass.

    ``file_key``: a new one, where the caller is to read the file back.
    """
    header = Header(generation, part, previous, at, to.expires_at, to.key.id)
    file_key = file_key or Secret.generate()
    bound = header.bound()
    header = replace(header, sealed=to.key.seal(file_key.reveal(), bound))
    key, wrapping = _keys(file_key, to.token, bound)
    head = header.encode()

    def pieces() -> Iterator[bytes]:
        yield _MAGIC + _LENGTH.pack(len(head)) + head
        yield from encrypt(operations.encode(contents, wrapping=wrapping), key=key, context=bound)

    return write_stream(path, pieces())


def write_stream(path: Path, pieces: Iterable[bytes]) -> Written:
    """Put a file in place from a stream, whole or not at all; durable on return. Raises BackupUnwritable."""
    temporary = path.with_name("." + path.name + ".tmp")
    digest, size = hashlib.sha256(), 0
    with _writing():
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for piece in pieces:
            with _writing():
                write_all(descriptor, piece)
            digest.update(piece)
            size += len(piece)
        with _writing():
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    with _writing():
        temporary.replace(path)
        sync_directory(path.parent)
    return Written(digest.digest(), size)


class _writing:  # noqa: N801 - reads as a statement; a class, for it runs once a piece
    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise BackupUnwritable(f"the backup cannot be written: {error.strerror}") from error


def read_header(path: Path) -> Header:
    """Return the header of a file, unchecked. Raises BackupDamaged."""
    try:
        with path.open("rb") as file:
            return _read_header(file, path)
    except OSError as error:
        raise BackupDamaged(f"{path.name} is missing or cannot be read") from error


def read(
    path: Path,
    *,
    opener: Opener,
    generation: str,
    part: str,
    previous: bytes = b"",
    known: Written | None = None,
    finished: Callable[[Written], None] | None = None,
) -> Iterator[Operation]:
    """Yield the operations of a part, each authentic; after the last one the file is known to be whole.

    ``known`` is what the manifest says of the file; ``finished`` gets what it was found to be. Raises
    BackupDamaged naming the part, RecoveryKeyDiffers.
    """
    try:
        with path.open("rb") as file:
            header = _read_header(file, path)
            if header.key != opener.service.key.id:
                raise RecoveryKeyDiffers
            if (header.generation, header.part, header.previous) != (generation, part, previous):
                raise BackupDamaged(f"{part} belongs elsewhere")
            bound = header.bound()
            file_key = opener.file_key(part, header.sealed, bound)
            key, wrapping = _keys(file_key, opener.service.token, bound)
            head = _MAGIC + _LENGTH.pack(len(header.encode())) + header.encode()
            digest = _Digest(head)
            yield from operations.decode(
                decrypt(digest.over(file), key=key, context=bound), wrapping=wrapping
            )
            found = digest.result()
    except (EnvelopeRefused, WrapRefused) as error:
        raise BackupDamaged(f"{part} is not what was written") from error
    except OSError as error:
        raise BackupDamaged(f"{part} is missing or cannot be read") from error
    if known is not None and known != found:
        raise BackupDamaged(f"{part} is not the one of this backup")
    if finished is not None:
        finished(found)


class _Digest:
    """SHA-256 and size of what was read."""

    def __init__(self, head: bytes) -> None:
        self._hash = hashlib.sha256(head)
        self._size = len(head)

    def over(self, file: BinaryIO) -> Iterator[bytes]:
        while piece := file.read(_READ_BYTES):
            self._hash.update(piece)
            self._size += len(piece)
            yield piece

    def result(self) -> Written:
        return Written(self._hash.digest(), self._size)


def _keys(file_key: Secret, token: Secret, bound: bytes) -> tuple[Secret, Secret]:
    """Return the content key and the key that wraps secrets."""
    derived = HKDF(algorithm=SHA512(), length=32, salt=token.reveal(), info=bound).derive(file_key.reveal())
    return derive_key(Secret(derived), b"assent/backup/content/1"), derive_key(
        Secret(derived), b"assent/backup/wraps/1"
    )


def _read_header(file: BinaryIO, path: Path) -> Header:
    lead = file.read(len(_MAGIC) + _LENGTH.size)
    if not lead.startswith(_MAGIC) or len(lead) != len(_MAGIC) + _LENGTH.size:
        raise BackupDamaged(f"{path.name} is no file of a backup")
    (length,) = _LENGTH.unpack_from(lead, len(_MAGIC))
    try:
        return Header(**canonical.decode_map(file.read(length), _FIELDS))
    except NotCanonical as error:
        raise BackupDamaged(f"{path.name} has a damaged header") from error
