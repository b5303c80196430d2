"""Identifiers that are looked up, as the index may hold them: equal when equal, mute without a key.

A plain hash would not do: names and numbers can be guessed.
"""

from __future__ import annotations

import hmac
from typing import Final, Literal, TypeAlias

from backend.keystore import KeyName, KeyStore, secrets_in_use

KEY_CLASS: Final = "staff-index"
"""The class of keys that blind identifiers of staff."""
Purpose: TypeAlias = Literal["staff", "sign-in-attempts"]


class BlindIndex:
    """HMAC-SHA-256 (RFC 2104) under a key for each purpose, so that two indexes cannot be joined."""

    def __init__(self, keys: KeyStore, purpose: Purpose) -> None:
        self._keys = [secret.reveal() for secret in secrets_in_use(keys, KEY_CLASS, key_of(purpose))]

    def of(self, identifier: str) -> str:
        """Return 64 hex digits, under the newest version of the key."""
        return self.any_of(identifier)[0]

    def any_of(self, identifier: str) -> list[str]:
        """Return what may stand for an identifier: more than ``of`` while a rotation is under way."""
        plain = identifier.encode(errors="replace")
        return [hmac.digest(key, plain, "sha256").hex() for key in self._keys]


def key_of(purpose: Purpose) -> KeyName:
    """Return the name of the key, as its first version bears it."""
    return "master", f"index/{purpose}"
