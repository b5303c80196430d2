"""The chain's node as wallets ask it: by method and parameters of the Ethereum JSON-RPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class NodeRefused(Exception):
    """The node's own error, such as a call that reverted. ``data``: what the contract gave, in hex."""

    def __init__(self, code: int, message: str, data: str | None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.data = data


class ChainNode(Protocol):
    def ask(self, method: str, params: Sequence[Any]) -> Any:
        """Return the result, as JSON has it. The caller has checked that the method only reads.

        Raises NodeRefused for the node's own error, LedgerUnavailable when it gives no usable answer.
        """
        ...
