"""Logs are read in stretches that fit the node, in order, with the times of their blocks."""

from __future__ import annotations

from typing import Any

import pytest

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.deployment_file import Place
from backend.adapters.ledger.errors import ChainReorganised
from backend.adapters.ledger.events import EventScan
from backend.adapters.ledger.rpc import RpcError
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber

ADDRESS = Address("0x" + "11" * 20)


class FakeNode:
    """Refuses more than ``most`` blocks at once; one AllRevoked in every tenth block."""

    def __init__(self, most: int, *, gives_times: bool = False) -> None:
        self.most = most
        self.gives_times = gives_times
        self.asked: list[tuple[int, int]] = []
        self.replaced: set[int] = set()

    def rpc(self) -> Any:
        return self

    def call(self, method: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        assert method == "eth_getLogs"
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        self.asked.append((first, last))
        if last - first + 1 > self.most:
            raise RpcError(-32005, "query returned more than 10000 results", None)
        numbers = [number for number in range(first, last + 1) if number % 10 == 0]
        return [self._log(number) for number in reversed(numbers)]  # no order is promised

    def batch(self, calls: list[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
        return [self._block(int(parameters[0], 16)) for _, parameters in calls]

    def _log(self, number: int) -> dict[str, Any]:
        log = {
            "address": ADDRESS,
            "topics": ["0x" + artifact("ConsentRegistry").topic("AllRevoked").hex(), f"0x{number:064x}"],
            "data": f"0x{1:064x}",
            "logIndex": "0x0",
            "blockNumber": hex(number),
            "blockHash": f"0x{number:064x}",
            "transactionHash": f"0x{number:064x}",
        }
        return log | ({"blockTimestamp": hex(number * 2)} if self.gives_times else {})

    def _block(self, number: int) -> dict[str, Any]:
        made = number + (1 if number in self.replaced else 0)
        return {
            "number": hex(number),
            "hash": f"0x{made:064x}",
            "parentHash": f"0x{0:064x}",
            "timestamp": hex(number * 2),
            "transactions": [],
        }


def scan(node: FakeNode) -> EventScan:
    return EventScan(chain=node, contracts=[Place("ConsentRegistry", ADDRESS)])


@pytest.mark.parametrize("most", [1, 7, 999, 5000, 10**6])
def test_every_block_is_asked_for_once_whatever_the_node_takes_at_once(most: int) -> None:
    node = FakeNode(most)
    found = [event.block_number for event in scan(node).events(BlockNumber(3), BlockNumber(3000))]
    assert found == list(range(10, 3001, 10))
    answered = [(first, last) for first, last in node.asked if last - first + 1 <= most]
    assert [first for first, _ in answered] == [3, *(last + 1 for _, last in answered[:-1])]
    assert answered[-1][1] == 3000


def test_stretches_grow_where_the_node_is_willing() -> None:
    node = FakeNode(10**6)
    assert len(list(scan(node).events(BlockNumber(0), BlockNumber(999_999)))) == 100_000
    assert len(node.asked) < 25


def test_node_that_refuses_a_single_block_is_unavailable() -> None:
    with pytest.raises(LedgerUnavailable, match="more than 10000"):
        list(scan(FakeNode(0)).events(BlockNumber(0), BlockNumber(100)))


@pytest.mark.parametrize("gives_times", [True, False])
def test_times_come_from_the_log_or_else_from_the_block(gives_times: bool) -> None:
    found = list(scan(FakeNode(10**6, gives_times=gives_times)).timed(BlockNumber(0), BlockNumber(5000)))
    assert [each.time for each in found] == [2 * each.event.block_number for each in found]
    assert len(found) == 501


def test_block_that_was_replaced_under_its_log_is_noticed() -> None:
    node = FakeNode(10**6)
    node.replaced = {40}
    with pytest.raises(ChainReorganised, match="Block 40"):
        list(scan(node).timed(BlockNumber(0), BlockNumber(100)))
