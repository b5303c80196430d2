"""Two nodes read as one: what they agree on, what only one can know, and which of them answers what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, cast

import pytest

from backend.adapters.ledger.errors import NodesDisagree
from backend.adapters.ledger.node import Node
from backend.adapters.ledger.paired_reads import PairedReads
from backend.adapters.ledger.rpc import RpcError
from backend.adapters.ledger.watched_node import WatchedNode
from backend.consent.ledger_types import LedgerView
from backend.errors import LedgerUnavailable
from backend.types import BlockNumber, Bytes32, UnixSeconds

NOTHING = Bytes32(bytes(32))


class FakeNode:
    """``held``: what its contract answers at each block. ``branch``: part of its blocks' hashes."""

    def __init__(self, name: str, held: dict[int, str], *, branch: str = "a") -> None:
        self.name = name
        self.held = held
        self.branch = branch
        self.asked: list[tuple[str, Any]] = []
        self.is_away = False

    def rpc(self) -> FakeNode:
        return self

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        if self.is_away:
            raise LedgerUnavailable
        self.asked += [(method, params[-1] if params else None) for method, params in calls]
        return [self._answer(method, params) for method, params in calls]

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        if method == "eth_getBlockByNumber":
            return {"hash": f"{self.branch}{params[0]}"}
        if method != "eth_call" or params[1] == "latest":
            return self.name
        return self.held.get(int(params[1], 16), RpcError(-32000, "header not found", None))

    def close(self) -> None:
        return


Pair = Callable[[FakeNode, FakeNode], PairedReads]


@pytest.fixture
def lies() -> list[str]:
    return []


@pytest.fixture
def pair(lies: list[str]) -> Iterator[Pair]:
    with ExitStack() as closing:

        def make(*nodes: FakeNode) -> PairedReads:
            watched = []
            for each in nodes:
                found = WatchedNode(cast(Node, each), patience_seconds=30.0)
                head = BlockNumber(max(each.held))
                found.last = LedgerView(1, head, NOTHING, UnixSeconds(0), BlockNumber(0), NOTHING)
                found.height = head
                closing.callback(found.close)
                watched.append(found)
            return PairedReads(watched, lied=lies.append)

        yield make


def read(reads: PairedReads, block: int) -> Any:
    return reads.call("eth_call", {"to": "0x1"}, hex(block))


def test_block_that_both_have_is_asked_of_both(pair: Pair) -> None:
    one, other = FakeNode("one", {8: "live", 9: "ended"}), FakeNode("other", {8: "live", 9: "ended"})
    assert read(pair(one, other), 9) == "ended"
    assert one.asked == other.asked == [("eth_call", "0x9")]


@pytest.mark.parametrize("liar", [0, 1])
def test_answer_that_only_one_gives_is_none(pair: Pair, lies: list[str], liar: int) -> None:
    nodes = [FakeNode("one", {9: "ended"}), FakeNode("other", {9: "ended"})]
    nodes[liar].held[9] = "live"
    with pytest.raises(NodesDisagree):
        read(pair(*nodes), 9)
    assert lies == ["0x9"]


@pytest.mark.parametrize("ahead", [0, 1])
def test_restriction_that_only_the_node_ahead_knows_counts(pair: Pair, ahead: int) -> None:
    nodes = [FakeNode("one", {8: "live"}), FakeNode("other", {8: "live"})]
    nodes[ahead].held[9] = "ended"
    assert read(pair(*nodes), 9) == "ended"


@pytest.mark.parametrize("ahead", [0, 1])
def test_restriction_that_only_the_node_behind_knows_is_not_hidden_by_the_other(
    pair: Pair, lies: list[str], ahead: int
) -> None:
    nodes = [FakeNode("one", {8: "ended"}), FakeNode("other", {8: "ended"})]
    nodes[ahead].held |= {8: "live", 9: "live"}
    with pytest.raises(NodesDisagree):
        read(pair(*nodes), 9)
    assert lies == ["0x8"]


def test_branches_that_differ_only_elsewhere_do_not_matter(pair: Pair, lies: list[str]) -> None:
    one, other = FakeNode("one", {8: "live", 9: "live"}), FakeNode("other", {8: "live"}, branch="b")
    assert read(pair(one, other), 9) == "live"
    other.held[8] = "ended"
    with pytest.raises(NodesDisagree):
        read(pair(one, other), 9)
    assert not lies, "another branch is no lie"


def test_refusals_agree_by_what_the_contract_said(pair: Pair) -> None:
    refusal = RpcError(3, "execution reverted", "0x12")
    nodes: list[Any] = [FakeNode("one", {9: cast(str, refusal)}), FakeNode("other", {9: cast(str, refusal)})]
    with pytest.raises(RpcError):
        read(pair(*nodes), 9)
    nodes[1].held[9] = cast(str, RpcError(3, "execution reverted", "0x13"))
    with pytest.raises(NodesDisagree):
        read(pair(*nodes), 9)


@pytest.mark.parametrize("away", [0, 1])
def test_node_that_does_not_answer_is_left_out(pair: Pair, away: int) -> None:
    nodes = [FakeNode("one", {9: "live"}), FakeNode("other", {9: "live"})]
    reads = pair(*nodes)
    nodes[away].is_away = True
    assert read(reads, 9) == "live"
    assert reads.call("eth_call", {}, "latest") == nodes[1 - away].name
    nodes[1 - away].is_away = True
    with pytest.raises(LedgerUnavailable):
        read(reads, 9)


def test_everything_else_is_asked_of_the_node_that_is_ahead(pair: Pair) -> None:
    one, other = FakeNode("one", {8: ""}), FakeNode("other", {8: "", 9: ""})
    reads = pair(one, other)
    assert reads.call("eth_getLogs", {}) == "other"
    assert (
        reads.batch([("eth_call", [{}, "latest"]), ("eth_getTransactionReceipt", ["0x1"])]) == ["other"] * 2
    )
    assert not one.asked


def test_events_are_asked_only_of_a_node_that_has_their_blocks(pair: Pair) -> None:
    one, other = FakeNode("one", {8: ""}), FakeNode("other", {9: ""})
    reads = pair(one, other)
    assert reads.call("eth_getLogs", {"toBlock": "0x9"}) == "other"
    other.is_away = True
    with pytest.raises(LedgerUnavailable):  # it would leave out what block 9 has
        reads.call("eth_getLogs", {"toBlock": "0x9"})
    assert reads.call("eth_getLogs", {"toBlock": "0x8"}) == "one"
    assert reads.call("eth_getLogs", {"toBlock": "latest"}) == "one"
