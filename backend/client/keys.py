"""A reader's private key and its file.

The key is 32 random bytes, drawn here and never derived from anything: not from a wallet's signature, which
is not secret, not always the same, and can be asked for by any page. An X-Wing key pair is expanded from it.
The file is JSON; with a passphrase the seed in it is wrapped (AES-256-KW) under Argon2id (RFC 9106) of it.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from backend.errors import OperatorError
from backend.keystore import Secret
from backend.records.envelope_errors import WrapRefused
from backend.records.sealing import RecipientKey, RecipientPrivateKey
from backend.records.wrapping import unwrap, wrap

FORM: Final = "assent-key/1"
_ITERATIONS: Final = 3  # RFC 9106, section 4, second recommendation
_LANES: Final = 4
_MEMORY_KIB: Final = 64 * 1024
_INFO: Final = b"assent/client/key/1"


class KeyRefused(OperatorError):
    """A key file is malformed, is protected by another passphrase, or is in the way of a new one."""

    code = "key_file_refused"
    remedy = "Give the file that the key was written to, and its passphrase. A lost key cannot be made again."


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A reader's key pair. ``public`` is what others seal to; its representation shows no secret."""

    seed: Secret

    @property
    def opener(self) -> RecipientPrivateKey:
        return RecipientPrivateKey(self.seed)

    @property
    def public(self) -> RecipientKey:
        return self.opener.public


def new_key() -> PrivateKey:
    """Draw a key from the operating system's generator."""
    return PrivateKey(Secret.generate())


def write_key(key: PrivateKey, path: Path, *, passphrase: str | None = None) -> None:
    """Write a new file that its owner alone can read. Raises KeyRefused when there is one, and OSError."""
    content: dict[str, Any] = {"form": FORM, "public": _text(key.public.encoded)}
    if passphrase is None:
        content["seed"] = _text(key.seed.reveal())
    else:
        salt = secrets.token_bytes(16)
        content["argon2id"] = {
            "salt": _text(salt),
            "iterations": _ITERATIONS,
            "lanes": _LANES,
            "memory_kib": _MEMORY_KIB,
        }
        stretched = _stretched(passphrase, salt, _ITERATIONS, _LANES, _MEMORY_KIB)
        content["wrapped"] = _text(wrap(key.seed, under=stretched, info=_INFO))
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as taken:
        raise KeyRefused(f"{path.name} is there already") from taken
    with os.fdopen(file, "w") as opened:
        opened.write(json.dumps(content, indent=2) + "\n")
        opened.flush()
        os.fsync(file)


def read_key(path: Path, *, passphrase: str | None = None) -> PrivateKey:
    """Read a key file. Raises KeyRefused."""
    try:
        content = json.loads(path.read_text())
        key = PrivateKey(_seed(content, passphrase))
        public = base64.b64decode(content["public"], validate=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        raise KeyRefused(f"{path.name} is no key file") from failure
    if key.public.encoded != public:
        raise KeyRefused(f"{path.name} holds another key than it says")
    return key


def _seed(content: dict[str, Any], passphrase: str | None) -> Secret:
    if content["form"] != FORM:
        raise KeyRefused("a key file of another form")
    if "seed" in content:
        return Secret(base64.b64decode(content["seed"], validate=True))
    if passphrase is None:
        raise KeyRefused("the key file is protected by a passphrase")
    cost = content["argon2id"]
    if not (1 <= cost["iterations"] <= 64 and 1 <= cost["lanes"] <= 16 and cost["memory_kib"] <= 4 << 20):
        raise KeyRefused("the key file asks for too much work")
    stretched = _stretched(
        passphrase,
        base64.b64decode(cost["salt"], validate=True),
        cost["iterations"],
        cost["lanes"],
        cost["memory_kib"],
    )
    try:
        return unwrap(base64.b64decode(content["wrapped"], validate=True), under=stretched, info=_INFO)
    except WrapRefused as refused:
        raise KeyRefused("the passphrase is another one") from refused


def _stretched(passphrase: str, salt: bytes, iterations: int, lanes: int, memory_kib: int) -> Secret:
    return Secret(
        Argon2id(salt=salt, length=32, iterations=iterations, lanes=lanes, memory_cost=memory_kib).derive(
            unicodedata.normalize("NFC", passphrase).encode()
        )
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
