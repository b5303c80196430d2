"""What opens the embedded key store: a passphrase through Argon2id, or a key file.

The parameters are kept beside the wrapped epoch key, so that they can be raised later; a check value tells a
wrong passphrase from a damaged file.
"""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.adapters.durable import write_file
from backend.keystore import KeyStoreDamaged, KeyStorePassphrase, Secret
from backend.records.wrapping import derive_key

CHECK_BYTES: Final = 16
_SALT_BYTES: Final = 16
_CHECK_INFO: Final = b"assent/keystore/check/1"


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """Argon2id (RFC 9106) work; the defaults are the RFC's second recommendation."""

    iterations: int = 3
    lanes: int = 4
    memory_kib: int = 64 * 1024

    def __post_init__(self) -> None:
        # Bounds also for what is read back: a tampered file must not ask for all memory.
        if not (1 <= self.iterations <= 64 and 1 <= self.lanes <= 16):
            raise ValueError("Argon2id iterations or lanes out of bounds")
        if not 8 * self.lanes <= self.memory_kib <= 4 * 1024 * 1024:
            raise ValueError("Argon2id memory out of bounds")


class Passphrase:
    """A passphrase (Unicode NFC, UTF-8). Its representation shows nothing."""

    __slots__ = ("_text", "cost")

    def __init__(self, text: str, cost: Argon2Cost | None = None) -> None:
        if not text:
            raise KeyStorePassphrase("the passphrase is empty")
        self._text = unicodedata.normalize("NFC", text)
        self.cost = cost or Argon2Cost()  # for a new store or root; an existing one brings its own

    def stretch(self, salt: bytes, cost: Argon2Cost) -> Secret:
        return Secret(
            Argon2id(
                salt=salt,
                length=32,
                iterations=cost.iterations,
                lanes=cost.lanes,
                memory_cost=cost.memory_kib,
            ).derive(self._text.encode())
        )

    def __repr__(self) -> str:
        return "Passphrase(redacted)"


class KeyFile:
    """A file of exactly 32 random bytes. Keep it away from the data it protects."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> KeyFile:
        """Make a key file, readable by the owner only; raise FileExistsError rather than replace one."""
        if path.exists():
            raise FileExistsError(path.name)
        write_file(path, secrets.token_bytes(32))
        return cls(path)

    def read(self, salt: bytes) -> Secret:
        try:
            material = self.path.read_bytes()
        except OSError as error:
            raise KeyStorePassphrase("the key file cannot be read") from error
        if len(material) != 32:
            raise KeyStorePassphrase("a key file has exactly 32 bytes")
        info = b"assent/keystore/root/1"
        return Secret(HKDF(algorithm=SHA512(), length=32, salt=salt, info=info).derive(material))


Unlock: TypeAlias = Passphrase | KeyFile


@dataclass(frozen=True, slots=True)
class RootParameters:
    """How the root key is made again. ``cost`` is there for a passphrase only."""

    salt: bytes
    cost: Argon2Cost | None
    check: bytes

    def encode(self) -> list[bytes | int]:
        cost = self.cost
        numbers = [cost.iterations, cost.lanes, cost.memory_kib] if cost else []
        return [self.salt, self.check, *numbers]

    @classmethod
    def decode(cls, fields: list[bytes | int]) -> RootParameters:
        """Read what ``encode`` wrote; raise KeyStoreDamaged otherwise."""
        match fields:
            case [bytes(salt), bytes(check)]:
                cost = None
            case [bytes(salt), bytes(check), int(iterations), int(lanes), int(memory_kib)]:
                try:
                    cost = Argon2Cost(iterations, lanes, memory_kib)
                except ValueError as error:
                    raise KeyStoreDamaged from error
            case _:
                raise KeyStoreDamaged
        if len(salt) != _SALT_BYTES or len(check) != CHECK_BYTES:
            raise KeyStoreDamaged
        return cls(salt, cost, check)


def _check_value(root: Secret) -> bytes:
    return derive_key(root, _CHECK_INFO).reveal()[:CHECK_BYTES]


def new_root(unlock: Unlock) -> tuple[Secret, RootParameters]:
    """Derive a root key with a fresh salt."""
    salt = secrets.token_bytes(_SALT_BYTES)
    if isinstance(unlock, Passphrase):
        root, cost = unlock.stretch(salt, unlock.cost), unlock.cost
    else:
        root, cost = unlock.read(salt), None
    return root, RootParameters(salt, cost, _check_value(root))


def open_root(unlock: Unlock, parameters: RootParameters) -> Secret:
    """Derive the root key again; raise KeyStorePassphrase when the passphrase or key file is another one."""
    if isinstance(unlock, Passphrase):
        if parameters.cost is None:
            raise KeyStorePassphrase("this key store is opened with a key file, not a passphrase")
        root = unlock.stretch(parameters.salt, parameters.cost)
    else:
        if parameters.cost is not None:
            raise KeyStorePassphrase("this key store is opened with a passphrase, not a key file")
        root = unlock.read(parameters.salt)
    if not hmac.compare_digest(_check_value(root), parameters.check):
        raise KeyStorePassphrase
    return root
