"""The chain for wallets: JSON-RPC that only reads, open to every origin.

Wallets call it from their own. It holds nothing private: whoever takes part in the chain can read it. Logs
hold neither methods nor parameters.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from backend.api import json_rpc
from backend.api.chain_reads import read
from backend.api.json_rpc import RpcBody, RpcCall, RpcFailure
from backend.api.limits import Limited, Spending
from backend.api.problems import RETRY_AFTER_SECONDS
from backend.api.security import Open
from backend.api.services import Services
from backend.errors import LedgerUnavailable, TooLarge

router = APIRouter(include_in_schema=False)

PATH: Final = "/rpc"
MAX_BYTES: Final = 64 * 1024
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "content-type",
    "Access-Control-Max-Age": "86400",
}


@router.options(PATH)
async def allow() -> Response:
    """Every origin may ask; the edge says so with each answer."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)


@router.post(PATH)
async def ask(request: Request, services: Open, spend: Spending) -> Response:
    """Answer a call or a batch. Each call counts against the address."""
    spend(Limited.RPC)
    try:
        body = json_rpc.parse(await _content(request))
    except RpcFailure as failure:
        return _response(json_rpc.failed(None, failure), HTTPStatus.BAD_REQUEST)
    for _ in body.calls[1:]:
        spend(Limited.RPC)
    return await run_in_threadpool(_answer, body, services)


async def _content(request: Request) -> bytes:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MAX_BYTES:
            raise TooLarge(f"A body holds at most {MAX_BYTES // 1024} KiB.")
    return bytes(content)


def _answer(body: RpcBody, services: Services) -> Response:
    """Wallets try again after 503, and show an error of the node to nobody but the page that asked."""
    answers = []
    away: RpcFailure | None = None
    for call in body.calls:
        if isinstance(call, RpcFailure):
            answers.append(json_rpc.failed(None, call))
        elif call.expects_answer:
            try:
                if away is not None:
                    raise away  # it would only take as long again
                answers.append(json_rpc.result(call, _read(call, services)))
            except LedgerUnavailable as failure:
                away = RpcFailure(json_rpc.RESOURCE_UNAVAILABLE, failure.remedy)
                answers.append(json_rpc.failed(call.number, away))
            except RpcFailure as failure:
                answers.append(json_rpc.failed(call.number, failure))
    if not answers:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    status = HTTPStatus.OK if away is None else HTTPStatus.SERVICE_UNAVAILABLE
    return _response(answers if body.is_batch else answers[0], status)


def _read(call: RpcCall, services: Services) -> Any:
    return read(call.method, call.params, node=services.node, chain_id=services.domain.chain_id)


def _response(answer: Any, status: HTTPStatus) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return Response(
        json_rpc.encode(answer), status_code=status, media_type="application/json", headers=headers
    )
