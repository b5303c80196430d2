"""Cosignatures on checkpoints (C2SP tlog-cosignature): timestamped Ed25519 (0x04) and ML-DSA-44 (0x06).

Each says that at that time this tree was the largest its key had seen of the log, and consistent with all
before. Witnesses make them; the log itself makes an ML-DSA-44 one, so that its checkpoints outlast Ed25519.
The signature in the note is the time, 8 bytes big-endian, and the raw signature (64 or 2,420 bytes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from backend.audit import checkpoint
from backend.audit.errors import InvalidNote
from backend.audit.note import (
    Ed25519Verifier,
    NoteVerifier,
    check_name,
    key_id,
    read_verifier_key,
    write_verifier_key,
)

ED25519: Final = 0x04
ML_DSA_44: Final = 0x06
_PLAIN_ED25519: Final = 0x01
_PUBLIC_KEY_BYTES: Final = {ED25519: 32, ML_DSA_44: 1_312}
_SIGNATURE_BYTES: Final = {ED25519: 64, ML_DSA_44: 2_420}
_TIME_BYTES: Final = 8
_LATEST: Final = 2**63 - 1


class _PublicKey(Protocol):
    def verify(self, signature: bytes, data: bytes) -> None: ...


class Cosigner:
    """Signs checkpoints with the time of ``clock`` (unix seconds). Raises InvalidNote for any other text."""

    __slots__ = ("_algorithm", "_clock", "_key", "key_id", "name", "verifier_key")

    def __init__(self, *, name: str, algorithm: int, seed: bytes, clock: Callable[[], int]) -> None:
        """``algorithm`` is ED25519 or ML_DSA_44; ``seed`` is the 32 bytes of the private key."""
        check_name(name)
        self._key: Ed25519PrivateKey | MLDSA44PrivateKey = (
            Ed25519PrivateKey.from_private_bytes(seed)
            if algorithm == ED25519
            else MLDSA44PrivateKey.from_seed_bytes(seed)
        )
        public = bytes([algorithm]) + self._key.public_key().public_bytes_raw()
        self._algorithm = algorithm
        self._clock = clock
        self.name = name
        self.key_id = key_id(name, public)
        self.verifier_key = write_verifier_key(name, public)

    def __repr__(self) -> str:
        return f"Cosigner({self.name!r}, {self.key_id.hex()})"

    def sign(self, text: bytes) -> bytes:
        time = self._clock()
        signature = self._key.sign(_message(self._algorithm, self.name, time, text))
        return time.to_bytes(_TIME_BYTES, "big") + signature


class CosignatureVerifier:
    __slots__ = ("_algorithm", "_key", "key_id", "name")

    def __init__(self, verifier_key: str) -> None:
        """Read a key written as ``name+key id+base64``. Raises InvalidNote when it is malformed."""
        self.name, blob = read_verifier_key(verifier_key)
        self._algorithm = blob[0]
        if len(blob) - 1 != _PUBLIC_KEY_BYTES.get(self._algorithm):
            raise InvalidNote("the verifier key is malformed")
        self.key_id = key_id(self.name, blob)
        self._key: _PublicKey = (
            Ed25519PublicKey.from_public_bytes(blob[1:])
            if self._algorithm == ED25519
            else MLDSA44PublicKey.from_public_bytes(blob[1:])
        )

    def verify(self, text: bytes, signature: bytes) -> bool:
        time, raw = int.from_bytes(signature[:_TIME_BYTES], "big"), signature[_TIME_BYTES:]
        if len(raw) != _SIGNATURE_BYTES[self._algorithm] or time > _LATEST:
            return False
        try:
            self._key.verify(raw, _message(self._algorithm, self.name, time, text))
        except (InvalidSignature, InvalidNote):
            return False
        return True


def verifier(verifier_key: str) -> NoteVerifier:
    """Return what verifies lines of a key of any kind. Raises InvalidNote when it is malformed."""
    _, blob = read_verifier_key(verifier_key)
    return (Ed25519Verifier if blob[0] == _PLAIN_ED25519 else CosignatureVerifier)(verifier_key)


def signed_at(signature: bytes) -> int:
    """Return the time in a verified cosignature, unix seconds."""
    return int.from_bytes(signature[:_TIME_BYTES], "big")


def _message(algorithm: int, name: str, time: int, text: bytes) -> bytes:
    """Return what is signed. Extension lines are covered by Ed25519 only, as the specification has it."""
    of = checkpoint.from_text(text.decode())
    if algorithm == ED25519:
        return f"cosignature/v1\ntime {time}\n".encode() + text
    numbers = b"".join(number.to_bytes(8, "big") for number in (0, of.size))
    return (
        b"subtree/v1\n\0"
        + _short_string(name)
        + time.to_bytes(_TIME_BYTES, "big")
        + _short_string(of.origin)
        + numbers
        + of.root
    )


def _short_string(text: str) -> bytes:
    data = text.encode()
    if len(data) > 255:
        raise InvalidNote("a name is longer than 255 bytes")
    return bytes([len(data)]) + data
