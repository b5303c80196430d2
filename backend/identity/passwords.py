"""Passwords: Argon2id (RFC 9106) as PHC strings, with a secret of the key store mixed in.

A copy of the index alone therefore allows no guessing. Cost: 19 MiB, two passes (the OWASP minimum), about
25 ms; at most two at once, so that sign-ins cannot take the memory.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from backend.identity.errors import PasswordUnacceptable
from backend.keystore import KeyStore

MIN_LENGTH: Final = 15  # NIST SP 800-63B-4, 3.1.1.2: for a password that is the only factor
MAX_LENGTH: Final = 128
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_AT_ONCE: Final = 2
_PREFIX: Final = f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p=1$"


class Passwords:
    def __init__(self, keys: KeyStore) -> None:
        self._pepper = keys.get_or_create("master", "identity/passwords").reveal()
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._nobody = self.hash("the account nobody has " + os.urandom(16).hex())

    def require_acceptable(self, password: str, *, username: str) -> None:
        """Raise PasswordUnacceptable for one too short, too long, of one letter or around the user name."""
        text = _normal(password)
        trivial = len(set(text)) < 4 or username.lower() in text.lower()
        if trivial or not MIN_LENGTH <= len(text) <= MAX_LENGTH:
            raise PasswordUnacceptable(field="password")

    def hash(self, password: str) -> str:
        """Return a PHC string with a fresh salt."""
        with self._slots:
            return Argon2id(
                salt=os.urandom(16),
                length=32,
                iterations=_PASSES,
                lanes=1,
                memory_cost=_MEMORY_KIB,
                secret=self._pepper,
            ).derive_phc_encoded(_normal(password).encode())

    def matches(self, password: str, stored: str | None) -> bool:
        """Compare; without a stored hash the same work is done and the answer is False."""
        expected = stored if stored is not None else self._nobody
        try:
            with self._slots:
                Argon2id.verify_phc_encoded(_normal(password).encode(), expected, secret=self._pepper)
        except InvalidKey:
            return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """True if the hash was made with another cost than today's."""
        return not stored.startswith(_PREFIX)


def _normal(password: str) -> str:
    """One form for what different keyboards send alike (NIST SP 800-63B-4: NFKC before hashing)."""
    text = password[: MAX_LENGTH * 8].encode("utf-8", "replace").decode()  # lone surrogates
    return unicodedata.normalize("NFKC", text)
