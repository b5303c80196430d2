"""JSON-RPC bodies: what is a call, what is none, and nothing hostile breaks an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.api.json_rpc import RpcCall, RpcFailure, encode, failed, parse, result


def body(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_call", **members}).encode()


def only(content: bytes) -> RpcCall:
    (call,) = parse(content).calls
    assert isinstance(call, RpcCall)
    return call


def test_call_and_batch_are_told_apart() -> None:
    assert not parse(body()).is_batch
    assert parse(b"[" + body() + b"]").is_batch


def test_call_without_params_has_none_of_them() -> None:
    assert only(body()).params == []


def test_call_without_id_expects_no_answer() -> None:
    assert not only(b'{"jsonrpc": "2.0", "method": "m"}').expects_answer
    assert only(body(id=None)).expects_answer


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[" * 60_000, b"NaN", b'{"a": Infinity}', b"1" * 60_000, b'{"a": ' * 10_000],
)
def test_body_that_is_no_json_is_a_parse_error(content: bytes) -> None:
    with pytest.raises(RpcFailure) as failure:
        parse(content)
    assert failure.value.code == -32700


@pytest.mark.parametrize(
    "members",
    [
        {"jsonrpc": "1.0"},
        {"jsonrpc": None},
        {"method": 7},
        {"method": None},
        {"id": True},
        {"id": 1.5},
        {"id": []},
        {"id": "x" * 101},
        {"id": 10**200},
    ],
)
def test_what_is_no_call_is_an_invalid_request(members: dict[str, Any]) -> None:
    (call,) = parse(body(**members)).calls
    assert isinstance(call, RpcFailure)
    assert call.code == -32600


@pytest.mark.parametrize("content", [b"1", b"null", b'"x"', b"[1]", b"[[]]", b"{}"])
def test_other_json_is_an_invalid_request(content: bytes) -> None:
    (call,) = parse(content).calls
    assert isinstance(call, RpcFailure)
    assert call.code == -32600


@pytest.mark.parametrize("count", [0, 21])
def test_batch_of_none_or_too_many_is_refused_whole(count: int) -> None:
    with pytest.raises(RpcFailure) as failure:
        parse(b"[" + b",".join([body()] * count) + b"]")
    assert failure.value.code == -32600


def test_batch_of_twenty_is_taken() -> None:
    assert len(parse(b"[" + b",".join([body()] * 20) + b"]").calls) == 20


@pytest.mark.parametrize(
    "params",
    [
        *("{}", '"x"', "null", "[1e999]", '[{"a": [-1e999]}]'),
        *("[" * 10 + "]" * 10, '[{"a":' * 9 + "1" + "}]" * 9),
    ],
)
def test_params_that_no_call_needs_are_none(params: str) -> None:
    content = b'{"jsonrpc": "2.0", "id": 1, "method": "m", "params": ' + params.encode() + b"}"
    assert only(content).params is None


def test_params_as_wallets_send_them_are_kept() -> None:
    params = [{"to": "0x1", "accessList": [{"address": "0x2", "storageKeys": ["0x3"]}]}, "latest"]
    assert only(body(params=params)).params == params


def test_answer_to_any_id_can_be_sent() -> None:
    call = only(b'{"jsonrpc": "2.0", "method": "m", "id": "\\ud800"}')
    assert json.loads(encode(result(call, 1))) == {"jsonrpc": "2.0", "id": "\ud800", "result": 1}


def test_failure_has_data_only_where_there_is_some() -> None:
    assert failed(1, RpcFailure(3, "reverted", "0x12"))["error"] == {
        "code": 3,
        "message": "reverted",
        "data": "0x12",
    }
    assert "data" not in failed(None, RpcFailure(3, "reverted"))["error"]
