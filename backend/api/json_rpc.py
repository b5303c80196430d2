"""JSON-RPC 2.0: from a body to calls, and from what became of them to a body.

Errors have the numbers of the JSON-RPC specification and of EIP-1474.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
RESOURCE_UNAVAILABLE: Final = -32002
MAX_BATCH: Final = 20
_MAX_DEPTH: Final = 8
_MAX_ID: Final = 100


class RpcFailure(Exception):
    """One call's error."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True)
class RpcCall:
    """``number`` is the caller's id. ``expects_answer`` is False for a notification."""

    number: str | int | None
    method: str
    params: Sequence[Any] | None  # None: no list, or nothing a call could need
    expects_answer: bool = True


@dataclass(frozen=True, slots=True)
class RpcBody:
    """``calls`` in order; one that is no request is the failure to answer with."""

    calls: Sequence[RpcCall | RpcFailure]
    is_batch: bool


def parse(content: bytes) -> RpcBody:
    """Read a body. Raise RpcFailure when nothing of it can be answered by itself."""
    try:
        found = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as failure:
        raise RpcFailure(PARSE_ERROR, "The body is not valid JSON.") from failure
    if not isinstance(found, list):
        return RpcBody([_call(found)], is_batch=False)
    if not found:
        raise RpcFailure(INVALID_REQUEST, "A batch holds at least one call.")
    if len(found) > MAX_BATCH:
        raise RpcFailure(INVALID_REQUEST, f"A batch holds at most {MAX_BATCH} calls; send several.")
    return RpcBody([_call(item) for item in found], is_batch=True)


def result(call: RpcCall, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call.number, "result": value}


def failed(number: str | int | None, failure: RpcFailure) -> dict[str, Any]:
    error: dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.data is not None:
        error["data"] = failure.data
    return {"jsonrpc": "2.0", "id": number, "error": error}


def encode(answer: Any) -> bytes:
    # ASCII: an id may hold what UTF-8 cannot say.
    return json.dumps(answer, separators=(",", ":")).encode()


def _call(item: Any) -> RpcCall | RpcFailure:
    if not isinstance(item, dict) or item.get("jsonrpc") != "2.0" or not isinstance(item.get("method"), str):
        return RpcFailure(INVALID_REQUEST, "A call has the members jsonrpc, method, params and id.")
    number = item.get("id")
    if isinstance(number, bool) or not isinstance(number, str | int | None) or len(str(number)) > _MAX_ID:
        return RpcFailure(INVALID_REQUEST, "An id is a short text or a whole number.")
    params = item.get("params", [])
    plain = params if isinstance(params, list) and _is_plain(params) else None
    return RpcCall(number, item["method"], plain, expects_answer="id" in item)


def _is_plain(params: list[Any]) -> bool:
    """Return whether every number is finite and nothing is nested beyond what a call needs."""
    level: list[Any] = params
    for _ in range(_MAX_DEPTH):
        if any(isinstance(item, float) and not math.isfinite(item) for item in level):
            return False
        level = [
            inner
            for item in level
            if isinstance(item, list | dict)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return True
    return False


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
