"""A contract bound to its address: views at a named block, and calls for the relayer to send."""

from __future__ import annotations

from collections.abc import Sequence
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
    PAYMENTS = "payments"  # pays for studies by invoice: a member with the researcher role


@dataclass(frozen=True, slots=True)
class Call:
    """One transaction to be. ``gas`` is an upper bound; ``to`` None makes a contract."""

    to: Address | None
    data: bytes
    gas: int
    sender: Sender = Sender.RELAYER


def read_together(chain: Chain, reads: Sequence[tuple[Address, bytes]], *, block: BlockNumber) -> list[bytes]:
    """Ask several views, each an address and its call data, at one block in one request.

    Raises as the views of ``BoundContract`` do.
    """
    answers = chain.rpc().batch([("eth_call", (_target(*read), hex(block))) for read in reads])
    found = []
    for answer in answers:
        if isinstance(answer, RpcError):
            raise _refusal(answer) from answer
        found.append(_bytes(answer))
    return found


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
            return _bytes(self._chain.rpc().call("eth_call", _target(self.address, data), block))
        except RpcError as error:
            raise _refusal(error) from error

    def _call(self, function: str, *arguments: Any, gas: int, sender: Sender = Sender.RELAYER) -> Call:
        return Call(self.address, self.artifact.functions[function].encode(arguments), gas, sender)


def _target(address: Address, data: bytes) -> dict[str, str]:
    return {"to": address, "data": "0x" + data.hex()}


def _bytes(answer: str) -> bytes:
    return bytes.fromhex(answer[2:])


def _refusal(error: RpcError) -> Exception:
    if error.data is None and any(word in error.message.lower() for word in _FORGOTTEN):
        return BlockForgotten()
    return rejection_of(error)
