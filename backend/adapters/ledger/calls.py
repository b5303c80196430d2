"""A contract bound to its address: views at a named block, and calls for the relayer to send."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from backend.adapters.ledger.abi import Artifact, artifact
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.errors import BlockForgotten
from backend.adapters.ledger.reverts import rejection_of
from backend.adapters.ledger.rpc import RpcError
from backend.types import Address, BlockNumber

_FORGOTTEN = ("blockoutofrange", "missing trie node", "not found", "pruned", "unavailable", "unknown block")


class Sender(StrEnum):
    """Whose account sends. One account may serve several."""

    RELAYER = "relayer"  # anything that carries its own signature
    CUSTODIAN = "custodian"  # opens subjects, commits records, anchors its log
    OPERATOR = "operator"  # admits and removes members


@dataclass(frozen=True, slots=True)
class Call:
    """One transaction to be. ``gas`` is an upper bound; ``to`` None makes a contract."""

    to: Address | None
    data: bytes
    gas: int
    sender: Sender = Sender.RELAYER


class BoundContract:
    """Base of the wrappers. Views raise LedgerUnavailable, BlockForgotten or LedgerRejected."""

    def __init__(self, name: str, address: Address, chain: Chain) -> None:
        self.artifact: Artifact = artifact(name)
        self.address = address
        self._chain = chain

    def _view(self, function: str, *arguments: Any, block: BlockNumber) -> tuple[Any, ...]:
        entry = self.artifact.functions[function]
        return entry.decode(self._read(entry.encode(arguments), hex(block)))

    def _read(self, data: bytes, block: str | dict[str, Any]) -> bytes:
        try:
            found = self._chain.rpc().call("eth_call", {"to": self.address, "data": "0x" + data.hex()}, block)
        except RpcError as error:
            if error.data is None and any(word in error.message.lower() for word in _FORGOTTEN):
                raise BlockForgotten from error
            raise rejection_of(error) from error
        return bytes.fromhex(found[2:])

    def _call(self, function: str, *arguments: Any, gas: int, sender: Sender = Sender.RELAYER) -> Call:
        return Call(self.address, self.artifact.functions[function].encode(arguments), gas, sender)
