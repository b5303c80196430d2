"""The edge of the application: the size of a body, and what a failure leaves of the answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from backend.api.middleware import BodyTooLarge, Edge

LIMIT = 100


async def _reading(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"read"})


async def _failing_late(scope: Scope, receive: Receive, send: Send) -> None:
    await _reading(scope, receive, send)
    raise RuntimeError("after the answer")


async def _failing_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("midway")


def _ask(app: Any, *chunks: bytes, headers: dict[bytes, bytes] | None = None) -> tuple[int, bytes, int]:
    """Return status, body, and how many chunks were taken."""
    sent: list[Message] = []
    waiting = list(chunks) or [b""]

    async def receive() -> Message:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": list((headers or {}).items())}
    asyncio.run(Edge(app, max_body_bytes=LIMIT, max_attachment_bytes=LIMIT)(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], body, len(chunks) - len(waiting)


def test_body_at_the_limit_is_read() -> None:
    assert _ask(_reading, b"x" * 60, b"x" * 40)[:2] == (200, b"read")


def test_body_over_the_limit_is_refused_when_it_gets_there() -> None:
    status, body, taken = _ask(_reading, b"x" * 60, b"x" * 41, b"x", b"x")
    assert (status, json.loads(body)["code"], taken) == (413, "too_large", 2)


@pytest.mark.parametrize("length", [b"101", b"200000000", b"9" * 5000])
def test_body_declared_over_the_limit_is_refused_unread(length: bytes) -> None:
    status, body, taken = _ask(_reading, b"x", headers={b"content-length": length})
    assert (status, json.loads(body)["code"], taken) == (413, "too_large", 0)


def test_failure_after_the_answer_keeps_the_connection() -> None:
    assert _ask(_failing_late)[0] == 200


def test_failure_in_the_middle_of_an_answer_ends_the_connection() -> None:
    with pytest.raises(RuntimeError):
        _ask(_failing_midway)


def test_too_large_is_what_the_framework_passes_on() -> None:
    assert BodyTooLarge().status_code == 413
