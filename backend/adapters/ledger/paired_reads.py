"""Reads of two nodes as if they were one that cannot lie alone.

Most of what is read is the answer of a contract at a block. Where both nodes have that block, both are asked
and have to agree. Where only the one that is ahead has it, that one is believed if at the other one's head
both agree: then it hides nothing that the other one knows, and what it knows in addition counts. Permission
needs every block that was read to permit, so it needs both nodes, and a restriction either of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from backend.adapters.ledger.errors import NodesDisagree
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.adapters.ledger.watched_node import WatchedNode
from backend.errors import LedgerUnavailable
from backend.waiting import about_to_wait

_Call = tuple[str, Sequence[Any]]


class PairedReads:
    """A node that does not answer is left out: how long its last word counts, ``NetworkChain.view`` decides.

    Everything but contracts at a block (transactions, events, the newest state) the node that is ahead
    answers, and the other one where that one is silent: no permission rests on these.
    """

    def __init__(self, nodes: Sequence[WatchedNode], *, lied: Callable[[str], None]) -> None:
        """``lied`` is told where the nodes have the same block and contradict each other on it."""
        self._nodes = nodes
        self._lied = lied

    def call(self, method: str, *params: Any) -> Any:
        (found,) = self.batch([(method, params)])
        if isinstance(found, RpcError):
            raise found
        return found

    def batch(self, calls: Sequence[_Call]) -> list[Any | RpcError]:
        if not calls:
            return []
        about_to_wait()
        lead, other = self.by_height()
        shared = None if other.last is None else other.last.head_number
        if lead.is_silent or other.is_silent or shared is None:
            return self._either(calls, lead, other)
        mine = list(calls)
        theirs: list[_Call] = []
        pairs: list[int] = []  # which answer of the first each answer of the second has to equal
        for position, (method, params) in enumerate(calls):
            number = _block_of(method, params)
            if number is None:
                continue
            if number <= shared:
                pairs.append(position)
                theirs.append((method, params))
            else:
                earlier = (method, [params[0], hex(shared), *params[2:]])
                pairs.append(len(mine))
                mine.append(earlier)
                theirs.append(earlier)
        if not theirs:
            return self._either(calls, lead, other)
        asked = [each.ask(_batch(some)) for each, some in ((lead, mine), (other, theirs))]
        try:
            told = lead.hear(asked[0])
        except LedgerUnavailable:
            return other.hear(other.ask(_batch(calls)))
        try:
            said = other.hear(asked[1])
        except LedgerUnavailable:
            return told[: len(calls)]
        for position, answer in zip(pairs, said, strict=True):
            if not _same(told[position], answer):
                self._contradicted(mine[position][1][1], lead, other)
        return told[: len(calls)]

    def by_height(self) -> tuple[WatchedNode, WatchedNode]:
        """Return the two, those that answer first, and of these the one that is ahead."""
        first, second = sorted(self._nodes, key=lambda each: (each.is_silent, -each.height))
        return first, second

    def _either(self, calls: Sequence[_Call], lead: WatchedNode, other: WatchedNode) -> list[Any | RpcError]:
        try:
            _require_blocks(lead, calls)
            return lead.hear(lead.ask(_batch(calls)))
        except LedgerUnavailable:
            _require_blocks(other, calls)
            return other.hear(other.ask(_batch(calls)))

    def _contradicted(self, block: str, lead: WatchedNode, other: WatchedNode) -> None:
        asked = [each.ask(_batch([("eth_getBlockByNumber", [block, False])])) for each in (lead, other)]
        (one,), (another,) = (each.hear(found) for each, found in zip((lead, other), asked, strict=True))
        if isinstance(one, dict) and isinstance(another, dict) and one["hash"] == another["hash"]:
            self._lied(block)
        raise NodesDisagree(f"The nodes do not agree on what block {int(block, 16)} holds.")


def _batch(calls: Sequence[_Call]) -> Callable[[Any], list[Any | RpcError]]:
    def ask(node: Any) -> list[Any | RpcError]:
        rpc: Rpc = node.rpc()
        return rpc.batch(calls)

    return ask


def _block_of(method: str, params: Sequence[Any]) -> int | None:
    """The block whose state is asked for; None for everything else, and for 'latest'."""
    if method != "eth_call" or len(params) < 2 or not str(params[1]).startswith("0x"):
        return None
    return int(params[1], 16)


def _require_blocks(watched: WatchedNode, calls: Sequence[_Call]) -> None:
    """Raise LedgerUnavailable where events are asked for up to a block that the node has not shown: it would
    leave those of later blocks out and not say so."""
    for method, params in calls:
        last = params[0].get("toBlock") if method == "eth_getLogs" else None
        if last is not None and str(last).startswith("0x") and int(last, 16) > watched.height:
            raise LedgerUnavailable(f"{watched.node.name} does not have the blocks that events are asked of.")


def _same(one: Any | RpcError, another: Any | RpcError) -> bool:
    if isinstance(one, RpcError) and isinstance(another, RpcError):
        return one.data == another.data
    return bool(one == another)
