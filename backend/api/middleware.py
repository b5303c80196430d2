"""What every request passes: an id, a size limit, security headers, and one log line without personal data.

Plain ASGI, because it runs on every read.
"""

from __future__ import annotations

import json
import logging
import random
import re
import sys
import time
from http import HTTPStatus

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.metrics import REQUEST_SECONDS

_LOG = logging.getLogger("assent.access")

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
)
# Wallets ask from their own origins. Nothing private is there, and no cookie is anywhere.
OPEN_PATH = "/rpc"
OPEN_HEADERS = (
    *(header for header in SECURITY_HEADERS if header[0] != b"cross-origin-resource-policy"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"access-control-allow-origin", b"*"),
)
NO_STORE = (b"cache-control", b"no-store")  # unless the route says how long its answer holds
API_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# The pages: our own files only, no inline script, and no string that becomes script or markup.
_PAGES_POLICY = (
    *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:"),
    *(
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ),
    *("frame-ancestors 'none'", "require-trusted-types-for 'script'"),
)
_USED = ("publickey-credentials-get", "publickey-credentials-create")  # passkeys
_UNUSED = (
    *(
        "accelerometer",
        "autoplay",
        "camera",
        "display-capture",
        "encrypted-media",
        "geolocation",
    ),
    *("gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi"),
    *("payment", "picture-in-picture", "screen-wake-lock", "serial", "storage-access", "usb"),
    *("window-management", "xr-spatial-tracking"),
)
_PERMISSIONS = (*(f"{name}=(self)" for name in _USED), *(f"{name}=()" for name in _UNUSED))
PAGES_HEADERS = (
    (b"content-security-policy", "; ".join(_PAGES_POLICY).encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", ", ".join(_PERMISSIONS).encode()),
)
# The documentation page loads its script and style from a public host; only that page may.
DOCS_POLICY = (
    b"content-security-policy",
    b"default-src 'self' https://cdn.jsdelivr.net 'unsafe-inline'; img-src 'self' data: https://fastapi.tiangolo.com",
)


_PAGES = re.compile(r"/|/app(/.*)?|/assets/.*|/favicon\.svg", re.DOTALL)
_ATTACHMENT = re.compile(r"(POST /v1/records|PUT /v1/records/[0-9a-f]{32})")
_LENGTH_DIGITS = 18  # longer lengths are absurd, and slow to read as a number


class BodyTooLarge(HTTPException):
    """Raised inside ``receive`` when a body without a length grows over the limit.

    An HTTPException because the framework turns any other failure to read a body into 'malformed'.
    """

    def __init__(self) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


class Edge:
    """Outermost application."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, max_attachment_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._max_attachment_bytes = max_attachment_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Names log lines, guards nothing. The system's generator would give the interpreter lock away here.
        request_id = f"{random.getrandbits(64):016x}"  # nosec B311
        scope["request_id"] = request_id
        started = time.perf_counter()
        status = 500
        began = finished = False

        async def sending(message: Message) -> None:
            nonlocal status, began, finished
            if message["type"] == "http.response.start":
                began = True
                status = message["status"]
                headers = message.get("headers", [])
                kept = any(name == b"cache-control" for name, _ in headers)
                message["headers"] = [
                    *headers,
                    *(OPEN_HEADERS if scope["path"] == OPEN_PATH else SECURITY_HEADERS),
                    *(() if kept else (NO_STORE,)),
                    *_policy(scope["path"]),
                    (b"x-request-id", request_id.encode()),
                ]
            finished = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            limit = self._max_attachment_bytes if _is_attachment(scope) else self._max_body_bytes
            if _declared_length(scope) > limit:
                await _refuse(sending, request_id)
            else:
                await self._app(scope, _limited(receive, limit), sending)
        except BodyTooLarge:
            if not began:
                await _refuse(sending, request_id)
        except Exception:
            # Answered as a problem and logged: raising it again would only cost the client its connection.
            if not finished:
                raise
        finally:
            elapsed = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            REQUEST_SECONDS.labels(scope["method"], route, str(status)).observe(elapsed)
            # The route's template, never the path: paths hold ids.
            _LOG.info(
                "request",
                extra={"method": scope["method"], "route": route, "status": status, "request_id": request_id,
                       "milliseconds": round(elapsed * 1000, 1)},
            )  # fmt: skip


def _policy(path: str) -> tuple[tuple[bytes, bytes], ...]:
    if _PAGES.fullmatch(path) is not None:
        return PAGES_HEADERS
    return (DOCS_POLICY if path == "/docs" else API_POLICY,)


def _is_attachment(scope: Scope) -> bool:
    """Tell the requests whose body the route takes in pieces: a document that is no FHIR bundle."""
    if _ATTACHMENT.fullmatch(f"{scope['method']} {scope['path']}") is None:
        return False
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    return not any(b"fhir+json" in value.lower() for value in types)


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                return 0
            return int(value) if len(value) <= _LENGTH_DIGITS else sys.maxsize
    return 0


def _limited(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BodyTooLarge
        return message

    return receiving


async def _refuse(send: Send, request_id: str) -> None:
    body = json.dumps(
        {
            "type": "/docs/errors#too_large",
            "title": "Request Entity Too Large",
            "status": 413,
            "code": "too_large",
            "detail": "The body is larger than this service accepts.",
            "remedy": "Send a smaller body, or split it.",
            "request_id": request_id,
        }
    ).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
