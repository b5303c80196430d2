"""Sends messages over HTTP. The name is resolved once, each address is checked, and the connection goes to an
address that was checked: a name that resolves to another one a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import httpcore

from backend.notices.addresses import Network, is_opened, is_permitted, split
from backend.notices.errors import WebhookRefused

TOTAL_SECONDS: Final = 10.0  # of one try, all of it
_REFUSED: Final = "address_refused"


class HttpSender:
    """Implements ``backend.notices.ports.Sender``. No proxy, no redirect, no cookie; the answer is not read.

    ``opened``: networks inside that may be called, also by plain http.
    """

    def __init__(
        self,
        *,
        opened: Sequence[Network],
        tls: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._opened = opened
        self._tls = tls or ssl.create_default_context()
        self._total_seconds = total_seconds

    def check(self, url: str) -> None:
        scheme, host, port, _ = split(url)
        try:
            addresses = _resolve(host, port)
        except OSError as failure:
            raise WebhookRefused("The host has no address.", field="url") from failure
        if not self._may_call(scheme, addresses):
            raise WebhookRefused(field="url")

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> str | None:
        try:
            scheme, host, port, target = split(url)
        except WebhookRefused:
            return _REFUSED
        try:
            addresses = _resolve(host, port)
        except OSError:
            return "no_address"
        if not self._may_call(scheme, addresses):
            return _REFUSED
        route = _Pinned(addresses[0], deadline=time.monotonic() + self._total_seconds)
        try:
            with (
                httpcore.ConnectionPool(
                    ssl_context=self._tls, network_backend=route, max_connections=1
                ) as pool,
                pool.stream(
                    "POST",
                    httpcore.URL(scheme=scheme, host=host, port=port, target=target),
                    headers=_headers(headers, scheme, host, port),
                    content=body,
                ) as response,
            ):
                status = response.status
        except httpcore.TimeoutException:
            return "timeout"
        except httpcore.ConnectError as failure:
            return "tls" if any(isinstance(each, ssl.SSLError) for each in failure.args) else "connect"
        except (httpcore.NetworkError, httpcore.ProtocolError):
            return "broken_answer"
        return None if 200 <= status < 300 else f"status_{status}"

    def _may_call(self, scheme: str, addresses: Sequence[str]) -> bool:
        if not addresses or not all(is_permitted(address, self._opened) for address in addresses):
            return False
        return scheme == "https" or all(is_opened(address, self._opened) for address in addresses)


# The methods' parameters are httpcore's; timeouts are ours, from the deadline.
# ruff: noqa: ARG002
class _Pinned(httpcore.NetworkBackend):
    """Connects to one address whatever the host's name, and gives up at the deadline."""

    def __init__(self, address: str, *, deadline: float) -> None:
        self._address = address
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Bounded(
            self._inner.connect_tcp(self._address, port, timeout=_left(self._deadline)), self._deadline
        )


class _Bounded(httpcore.NetworkStream):
    """A stream whose reads and writes share one deadline: a byte every second is no way to hold a thread."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if time.monotonic() >= self._deadline:
            raise httpcore.ReadTimeout
        return self._inner.read(max_bytes, timeout=_left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if time.monotonic() >= self._deadline:
            raise httpcore.WriteTimeout
        self._inner.write(buffer, timeout=_left(self._deadline))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._inner.start_tls(ssl_context, server_hostname, timeout=_left(self._deadline))
        return _Bounded(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _resolve(host: str, port: int) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as failure:  # a label that is empty or too long
        raise OSError("no such host") from failure
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _headers(given: Mapping[str, str], scheme: str, host: str, port: int) -> list[tuple[str, str]]:
    name = f"[{host}]" if ":" in host else host
    usual = port == (443 if scheme == "https" else 80)
    return [
        ("Host", name if usual else f"{name}:{port}"),
        ("Content-Type", "application/json"),
        ("User-Agent", "assent-webhooks/1"),
        ("Connection", "close"),
        *given.items(),
    ]
