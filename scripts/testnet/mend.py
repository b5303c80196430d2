"""Brings validators together that stand still on branches of equal weight.

Clique can come to that when a network fell into halves: each half seals as far as its signers may, the
branches weigh the same, and nobody who may sign next prefers the other one. Only blocks that are not final
are in dispute, so the signers of one branch take theirs back and follow the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.adapters.ledger.rpc import Rpc


class Unmendable(RuntimeError):
    """The branches part below a block that may have been final: people have to decide."""


@dataclass(frozen=True, slots=True)
class _Head:
    number: int
    hash: str
    weight: int


def mend(validators: Mapping[str, Rpc], *, finality_blocks: int) -> list[str]:
    """Take every branch but the heaviest back to the block that all share; return the names of its nodes.

    Of branches of equal weight the one with the lowest hash stays, so that whoever decides decides the same.
    Raises Unmendable, RpcError, LedgerUnavailable.
    """
    heads = {name: _head(rpc) for name, rpc in validators.items()}
    keeper = min(heads, key=lambda name: (-heads[name].weight, heads[name].hash))
    astray = [
        name
        for name, head in heads.items()
        if name != keeper and _hash(validators[keeper], head.number) != head.hash
    ]
    if not astray:
        return []
    lowest = min(head.number for head in heads.values())
    shared = lowest
    while len({_hash(rpc, shared) for rpc in validators.values()}) > 1:
        shared -= 1
        if lowest - shared > finality_blocks:
            break
    if max(heads[name].number for name in astray) - shared >= finality_blocks:
        raise Unmendable("The branches part where blocks may have been final. Find out who signed both.")
    for name in astray:
        validators[name].call("debug_setHead", hex(shared))
    return astray


def _head(rpc: Rpc) -> _Head:
    found = _block(rpc, "latest")
    return _Head(int(found["number"], 16), found["hash"], int(found["totalDifficulty"], 16))


def _hash(rpc: Rpc, number: int) -> str | None:
    found = _block(rpc, hex(number))
    return None if found is None else str(found["hash"])


def _block(rpc: Rpc, number: str) -> Any:
    return rpc.call("eth_getBlockByNumber", number, False)
