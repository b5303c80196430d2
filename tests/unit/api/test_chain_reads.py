"""What the node is asked for strangers: this list of reads, with bounded work, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from backend.api.chain_reads import CONSTANTS, MAX_GAS, PARAMETERS, read
from backend.api.json_rpc import RpcFailure
from backend.consent.chain_node import NodeRefused

ALLOWED = {
    *("eth_chainId", "net_version", "web3_clientVersion", "eth_blockNumber", "eth_getBlockByNumber"),
    *("eth_getBlockByHash", "eth_call", "eth_estimateGas", "eth_gasPrice", "eth_maxPriorityFeePerGas"),
    *("eth_feeHistory", "eth_getBalance", "eth_getCode", "eth_getTransactionCount"),
    *("eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_syncing", "eth_accounts"),
}


class Node:
    """Remembers what it was asked."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.asked: list[tuple[str, list[Any]]] = []
        self._failure = failure

    def ask(self, method: str, params: Sequence[Any]) -> Any:
        self.asked.append((method, list(params)))
        if self._failure is not None:
            raise self._failure
        return "answer"


def ask(node: Node, method: str, *params: Any) -> Any:
    return read(method, params, node=node, chain_id=31_337)


def failure_of(method: str, *params: Any) -> int:
    node = Node()
    with pytest.raises(RpcFailure) as failure:
        ask(node, method, *params)
    assert node.asked == []
    return failure.value.code


def test_list_of_methods_is_exactly_this() -> None:
    assert set(PARAMETERS) | set(CONSTANTS) == ALLOWED
    assert set(PARAMETERS).isdisjoint(CONSTANTS)


@pytest.mark.parametrize(
    "method",
    [
        *("eth_sendRawTransaction", "eth_sendTransaction", "eth_sign", "eth_signTypedData_v4", "eth_getLogs"),
        *("anvil_setBalance", "evm_mine", "evm_snapshot", "hardhat_reset", "debug_traceCall", "trace_call"),
        *("personal_unlockAccount", "miner_start", "admin_addPeer", "txpool_content", "rpc_modules"),
        *("eth_newFilter", "eth_subscribe", "eth_getStorageAt", "eth_getProof", "eth_createAccessList"),
        *("eth_Call", " eth_call", "eth_call ", "eth_call\x00", ""),
    ],
)
def test_any_other_method_is_not_found_and_says_where_to_go(method: str) -> None:
    node = Node()
    with pytest.raises(RpcFailure) as failure:
        ask(node, method)
    assert failure.value.code == -32601
    assert "POST /v1/consents" in failure.value.message
    assert node.asked == []


def test_constants_are_answered_without_the_node() -> None:
    node = Node()
    answers = {method: ask(node, method) for method in CONSTANTS}
    assert answers == {
        "eth_chainId": "0x7a69",
        "net_version": "31337",
        "web3_clientVersion": "Assent",
        "eth_accounts": [],
    }
    assert node.asked == []


@pytest.mark.parametrize("method", ["eth_call", "eth_estimateGas"])
@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ({}, MAX_GAS),
        ({"gas": "0x5208"}, 21_000),
        ({"gas": 21_000}, 21_000),
        ({"gas": hex(MAX_GAS + 1)}, MAX_GAS),
        ({"gas": "0x" + "f" * 64}, MAX_GAS),
        ({"gas": None}, MAX_GAS),
    ],
)
def test_gas_of_a_call_is_bounded(method: str, asked: dict[str, Any], given: int) -> None:
    node = Node()
    ask(node, method, {"to": "0x1", **asked}, "latest")
    assert node.asked == [(method, [{"to": "0x1", "gas": hex(given)}, "latest"])]


@pytest.mark.parametrize("gas", ["21000", "0x", "0xzz", -1, 1.5, True, [], {}])
def test_gas_that_is_no_quantity_is_refused(gas: Any) -> None:
    assert failure_of("eth_call", {"gas": gas}) == -32602


@pytest.mark.parametrize(
    "params",
    [[], ["0x1"], [None], [[]], [{}, "latest", {"0x1": {"balance": "0x1"}}], [{}, "latest", {}, {}]],
)
def test_call_of_another_shape_is_refused_state_overrides_too(params: list[Any]) -> None:
    assert failure_of("eth_call", *params) == -32602


def test_history_of_fees_is_bounded() -> None:
    node = Node()
    ask(node, "eth_feeHistory", "0xffffff", "latest", [50])
    ask(node, "eth_feeHistory", 4, "latest")
    assert [params[0] for _, params in node.asked] == ["0x400", "0x4"]


def test_method_without_parameters_gets_none_whatever_was_sent() -> None:
    node = Node()
    ask(node, "eth_blockNumber", {}, "x")
    assert read("eth_gasPrice", None, node=node, chain_id=1) == "answer"
    assert [params for _, params in node.asked] == [[], []]


def test_params_that_are_no_list_are_refused() -> None:
    with pytest.raises(RpcFailure) as failure:
        read("eth_getBalance", None, node=Node(), chain_id=1)
    assert failure.value.code == -32602


def test_error_of_the_node_is_passed_on() -> None:
    with pytest.raises(RpcFailure) as failure:
        ask(Node(NodeRefused(3, "execution reverted" + "x" * 1000, "0x08c3")), "eth_call", {})
    assert (failure.value.code, failure.value.data) == (3, "0x08c3")
    assert len(failure.value.message) == 300
    with pytest.raises(RpcFailure) as failure:
        ask(Node(NodeRefused(0, "malformed answer", None)), "eth_gasPrice")
    assert failure.value.code == -32000
