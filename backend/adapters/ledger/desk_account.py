"""The custodian's account, as far as it signs for what its identity desk has checked."""

from __future__ import annotations

from eth_account import Account

from backend.keystore import Secret
from backend.types import Address


class DeskAccount:
    """Implements ``backend.recovery.ports.DeskSigner``."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    @property
    def account(self) -> Address:
        return Address(Account.from_key(self._key.reveal()).address)

    def sign(self, digest: bytes) -> bytes:
        return bytes(Account.unsafe_sign_hash(digest, self._key.reveal()).signature)
