"""Somebody with a wallet."""

from __future__ import annotations

from typing import Any

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount


class Person:
    """Signs typed data as a wallet would."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self.address = account.address

    def sign(self, message: dict[str, Any]) -> bytes:
        """Return the 65-byte signature of a full EIP-712 message."""
        return bytes(self._account.sign_message(encode_typed_data(full_message=message)).signature)
