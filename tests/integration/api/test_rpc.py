"""The chain for wallets: reads reach the node, nothing else does, and every origin may ask."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import eth_abi
import httpx
import pytest
from eth_utils.crypto import keccak

from backend.api.app import create_app
from backend.api.limits import AddressLimits, Allowance
from backend.errors import LedgerUnavailable
from backend.main import bind
from tests.integration.api.world import MAX_BODY_BYTES, Patient, Service, assert_problem, serving


def call(method: str, *params: Any, number: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def ask(http: httpx.Client, method: str, *params: Any) -> Any:
    answer = http.post("/rpc", json=call(method, *params))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["jsonrpc"], found["id"]) == ("2.0", 1)
    return found


def is_live(service: Service, consent: str) -> dict[str, str]:
    data = keccak(text="isLive(bytes32,uint8)")[:4] + eth_abi.encode(
        ("bytes32", "uint8"), (bytes.fromhex(consent[2:]), 1)
    )
    return {"to": service.world.services.domain.verifying_contract, "data": "0x" + data.hex()}


@pytest.fixture
def http(service: Service) -> httpx.Client:
    return service.http


def test_wallet_that_adds_the_chain_finds_it(service: Service, http: httpx.Client) -> None:
    assert ask(http, "eth_chainId")["result"] == hex(service.world.services.domain.chain_id)
    assert ask(http, "net_version")["result"] == str(service.world.services.domain.chain_id)
    number = int(ask(http, "eth_blockNumber")["result"], 16)
    assert number > 0
    block = ask(http, "eth_getBlockByNumber", hex(number), False)["result"]
    assert ask(http, "eth_getBlockByHash", block["hash"], False)["result"]["number"] == hex(number)
    (transaction,) = block["transactions"][:1]
    assert ask(http, "eth_getTransactionReceipt", transaction)["result"]["blockNumber"] == hex(number)
    sender = ask(http, "eth_getTransactionByHash", transaction)["result"]["from"]
    assert int(ask(http, "eth_getTransactionCount", sender, "latest")["result"], 16) > 0
    for method in ("eth_gasPrice", "eth_maxPriorityFeePerGas"):
        assert ask(http, method)["result"].startswith("0x")
    assert ask(http, "eth_syncing")["result"] is False
    assert ask(http, "eth_accounts")["result"] == []
    assert "baseFeePerGas" in ask(http, "eth_feeHistory", "0x2", "latest", [50])["result"]
    assert ask(http, "eth_getBalance", sender, "latest")["result"].startswith("0x")
    registry = service.world.services.domain.verifying_contract
    assert len(ask(http, "eth_getCode", registry, "latest")["result"]) > 1000


def test_call_to_the_consent_registry_follows_a_consent(
    service: Service, http: httpx.Client, patient: Patient
) -> None:
    consent = patient.permit("0x" + "31" * 32)
    assert int(ask(http, "eth_call", is_live(service, consent), "latest")["result"], 16) == 1
    assert int(ask(http, "eth_estimateGas", is_live(service, consent))["result"], 16) > 21_000
    patient.end(consent)
    deadline = time.monotonic() + 60  # in force from receipt, on the chain with the next block
    while int(ask(http, "eth_call", is_live(service, consent), "latest")["result"], 16):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_error_of_the_node_is_an_error_of_the_call(service: Service, http: httpx.Client) -> None:
    registry = service.world.services.domain.verifying_contract
    error = ask(http, "eth_call", {"to": registry, "data": "0x12345678"}, "latest")["error"]
    assert "revert" in error["message"]
    assert ask(http, "eth_getBalance", "no address", "latest")["error"]["code"] == -32602
    endless = {"data": "0x5b600056", "gas": hex(2**40)}  # a loop, which only the bound on gas ends
    assert "gas" in ask(http, "eth_call", endless, "latest")["error"]["message"].lower()


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_sendRawTransaction", ["0x00"]),
        ("eth_sendTransaction", [{}]),
        ("anvil_setBalance", ["0x" + "11" * 20, "0x1"]),
        ("evm_mine", []),
        ("debug_traceTransaction", ["0x" + "11" * 32]),
        ("personal_sign", ["0x", "0x" + "11" * 20]),
    ],
)
def test_what_writes_or_steers_is_refused_and_nothing_changes(
    http: httpx.Client, method: str, params: list[Any]
) -> None:
    account = "0x" + "11" * 20
    before = ask(http, "eth_getBalance", account, "latest")["result"]
    error = ask(http, method, *params)["error"]
    assert error["code"] == -32601
    assert "POST /v1/revocations" in error["message"]
    assert ask(http, "eth_getBalance", account, "latest")["result"] == before


def test_batch_is_answered_in_order_each_call_by_itself(http: httpx.Client) -> None:
    calls: list[Any] = [call("eth_chainId", number=7), call("evm_mine", number=8), 5, call("net_version")]
    calls.append({"jsonrpc": "2.0", "method": "eth_chainId"})
    answers = http.post("/rpc", json=calls).json()
    assert [answer["id"] for answer in answers] == [7, 8, None, 1]
    assert ["error" in answer for answer in answers] == [False, True, True, False]


def test_batch_too_long_is_refused(http: httpx.Client) -> None:
    answer = http.post("/rpc", json=[call("eth_chainId")] * 21)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
    assert http.post("/rpc", json=[call("eth_chainId")] * 20).status_code == 200


def test_body_that_is_no_json_or_too_large_is_refused(http: httpx.Client) -> None:
    answer = http.post("/rpc", content=b"{")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32700)
    assert_problem(http.post("/rpc", content=b" " * 65_537), 413, "too_large")
    assert_problem(http.post("/rpc", content=iter([b" " * 40_000] * 2)), 413, "too_large")


def test_every_origin_may_ask_this_and_nothing_else(http: httpx.Client) -> None:
    origin = {"Origin": "chrome-extension://wallet"}
    asked = http.options("/rpc", headers={**origin, "Access-Control-Request-Method": "POST"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-methods"] == "POST"
    assert asked.headers["access-control-allow-headers"] == "content-type"
    for answer in (asked, http.post("/rpc", json=call("eth_chainId"), headers=origin), http.get("/rpc")):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
    other = http.get("/v1/ledger", headers=origin)
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["cross-origin-resource-policy"] == "same-origin"
    assert http.options("/v1/ledger", headers=origin).status_code == 405


class _Away:
    """A node that does not answer, and counts how often it was asked."""

    asked = 0

    def ask(self, method: str, params: Any) -> Any:
        self.asked += 1
        raise LedgerUnavailable("The node did not answer.")


@pytest.fixture
def away() -> _Away:
    return _Away()


@pytest.fixture
def alone(service: Service, away: _Away) -> Iterator[httpx.Client]:
    """The same world without its node, and with a small allowance."""
    allowance = Allowance(sign_ins=1, challenges=1, refreshes=1, drafts=1, rpc_calls=5)
    limits = AddressLimits(allowance, trusted_proxies=[], clock=lambda: 1_800_000_000 // 60 * 60 + 20)
    listener = bind("127.0.0.1", 0)
    services = replace(service.world.services, limits=limits, node=away)
    app = create_app(services, max_body_bytes=MAX_BODY_BYTES, max_attachment_bytes=MAX_BODY_BYTES)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with serving(app, listener), httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_node_that_is_away_is_told_apart_and_asked_once(alone: httpx.Client, away: _Away) -> None:
    calls = [call("eth_chainId", number=1), call("eth_blockNumber", number=2), call("eth_gasPrice", number=3)]
    answer = alone.post("/rpc", json=calls)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    first, *others = answer.json()
    assert "result" in first
    assert [other["error"]["code"] for other in others] == [-32002, -32002]
    assert away.asked == 1


def test_each_call_of_a_batch_counts_against_the_address(alone: httpx.Client) -> None:
    assert alone.post("/rpc", json=[call("eth_chainId")] * 4).status_code == 200
    answer = alone.post("/rpc", json=[call("eth_chainId")] * 2)
    assert_problem(answer, 429, "address_limited")
    assert answer.headers["retry-after"] == "40"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert_problem(alone.post("/rpc", json=call("eth_chainId")), 429, "address_limited")


def test_log_of_requests_holds_no_parameters(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    account = "0x" + "ab" * 20
    deadline = time.monotonic() + 60
    with caplog.at_level("DEBUG", logger="assent"):
        ask(http, "eth_getBalance", account, "latest")
        while not caplog.records:  # written after the answer
            assert time.monotonic() < deadline
            time.sleep(0.01)
    text = json.dumps([record.__dict__ for record in caplog.records], default=str)
    assert "/rpc" in text
    assert account not in text
    assert "eth_getBalance" not in text
