"""Nonces for sign-in: made here, good once, for five minutes unless said otherwise.

A nonce authenticates itself, so that handing one out stores nothing and nobody can fill the store by asking.
Only its use is written down. It is alphanumeric, as EIP-4361 wants: base 32 of 16 random bytes, the time of
issue (5 bytes) and the first 14 bytes of an HMAC-SHA-256 over both.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from backend.identity.errors import SignInNonceRefused
from backend.identity.ports import SingleUse
from backend.keystore import KeyStore
from backend.types import UnixSeconds

NONCE_SECONDS: Final = 300
_RANDOM_BYTES: Final = 16
_TIME_BYTES: Final = 5
_MARK_BYTES: Final = 14
_LENGTH: Final = _RANDOM_BYTES + _TIME_BYTES + _MARK_BYTES
_KEEP_SECONDS: Final = 3600  # a mark outlives its nonce by far, whatever a clock does


class Nonces:
    """``purpose``: a nonce that was issued for one counts for no other."""

    def __init__(
        self,
        *,
        keys: KeyStore,
        used: SingleUse,
        clock: Callable[[], int],
        purpose: str = "sign-in",
        seconds: int = NONCE_SECONDS,
    ) -> None:
        self._key = keys.get_or_create("signing", "identity/sign-in-nonce").reveal()
        self._used = used
        self._clock = clock
        self._purpose = purpose
        self._seconds = seconds

    def issue(self) -> str:
        """Return a new nonce of 56 letters and digits."""
        body = secrets.token_bytes(_RANDOM_BYTES) + self._clock().to_bytes(_TIME_BYTES)
        return base64.b32encode(body + self._mark(body)).decode()

    def consume(self, nonce: str) -> None:
        """Use the nonce up; raises SignInNonceRefused unless issued here, in time, and never used before."""
        try:
            raw = base64.b32decode(nonce)
        except (binascii.Error, ValueError) as refusal:
            raise SignInNonceRefused from refusal
        body, mark = raw[:-_MARK_BYTES], raw[-_MARK_BYTES:]
        if len(raw) != _LENGTH or not hmac.compare_digest(self._mark(body), mark):
            raise SignInNonceRefused
        issued_at = int.from_bytes(body[_RANDOM_BYTES:])
        now = self._clock()
        if not 0 <= now - issued_at < self._seconds:
            raise SignInNonceRefused
        until = UnixSeconds(issued_at + _KEEP_SECONDS)
        if not self._used.consume(self._purpose, body[:_RANDOM_BYTES].hex(), until=until):
            raise SignInNonceRefused

    def _mark(self, body: bytes) -> bytes:
        return hmac.digest(self._key, self._purpose.encode() + b"\0" + body, "sha256")[:_MARK_BYTES]
