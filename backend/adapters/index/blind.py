"""Identifiers that are looked up, as the index may hold them: equal when equal, mute without a key.

A plain hash would not do: names and numbers can be guessed.
"""

from __future__ import annotations

import hmac

from backend.keystore import KeyStore


class BlindIndex:
    """HMAC-SHA-256 (RFC 2104) under a key for each purpose, so that two indexes cannot be joined."""

    def __init__(self, keys: KeyStore, purpose: str) -> None:
        self._key = keys.get_or_create("master", f"index/{purpose}").reveal()

    def of(self, identifier: str) -> str:
        """Return 64 hex digits."""
        return hmac.digest(self._key, identifier.encode(errors="replace"), "sha256").hex()
