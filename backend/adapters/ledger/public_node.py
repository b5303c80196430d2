"""Hands reads of wallets to the chain's node, embedded or on a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.rpc import RpcError
from backend.consent.chain_node import NodeRefused


class PublicNode:
    """Implements ``backend.consent.chain_node.ChainNode``."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def ask(self, method: str, params: Sequence[Any]) -> Any:
        try:
            return self._chain.rpc().call(method, *params)
        except RpcError as error:
            raise NodeRefused(error.code, error.message, error.data) from error
