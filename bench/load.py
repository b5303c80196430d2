"""A load generator that costs little: raw HTTP/1.1 on kept-alive connections, in a process of its own.

    python -m bench.load PORT PATH CLIENTS SECONDS    (on standard input the token, if any, and in the next
                                                       line the JSON to post, if any)

Each connection sends its next request when the answer to the last one is complete. Prints a JSON
object: ``requests``, ``seconds``, ``bytes`` of one body, ``failures`` (not 200), ``p50_ms``, ``p99_ms``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop

_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """What one run found."""

    per_second: float
    body_bytes: int
    failures: int
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class _Tally:
    begins: float
    ends: float
    seconds: list[float] = field(default_factory=list)
    failures: int = 0
    body_bytes: int = 0


class _Client(asyncio.Protocol):
    def __init__(self, request: bytes, tally: _Tally) -> None:
        self._request = request
        self._tally = tally
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._expected = 0
        self._sent = 0.0
        self.finished = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, which is none by name
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._expected:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            at = head.index(b"content-length:") + len(b"content-length:")
            length = int(head[at:].split(b"\r\n", 1)[0])
            self._expected = end + 4 + length
            self._tally.body_bytes = length
        if len(self._buffer) >= self._expected:
            self._complete()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_result(None)

    def _complete(self) -> None:
        now = time.perf_counter()
        if self._tally.begins <= now < self._tally.ends:
            self._tally.seconds.append(now - self._sent)
        self._tally.failures += not self._buffer.startswith(b"HTTP/1.1 200")
        self._buffer.clear()
        self._expected = 0
        if now < self._tally.ends:
            self._send()
        elif self._transport is not None:
            self._transport.close()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._request)


def run(port: int, path: str, *, clients: int, seconds: float, token: str = "", body: str = "") -> Load:
    """Load ``path`` of a server on this machine from a process of its own: get it, or post the JSON body."""
    command = [sys.executable, "-m", "bench.load", str(port), path, str(clients), str(seconds)]
    done = subprocess.run(  # noqa: S603 - our own program
        command, input=f"{token}\n{body}", capture_output=True, text=True, check=True, timeout=seconds + 20
    )
    found: dict[str, float] = json.loads(done.stdout)
    return Load(
        found["requests"] / found["seconds"],
        int(found["bytes"]),
        int(found["failures"]),
        found["p50_ms"],
        found["p99_ms"],
    )


async def _load(port: int, request: bytes, clients: int, seconds: float) -> dict[str, float]:
    begins = time.perf_counter() + _WARM_UP_SECONDS
    tally = _Tally(begins, begins + seconds)
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: _Client(request, tally), "127.0.0.1", port)
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.finished for _, client in pairs))
    spent = sorted(tally.seconds)
    return {
        "requests": len(spent),
        "seconds": seconds,
        "bytes": tally.body_bytes,
        "failures": tally.failures,
        "p50_ms": 1000 * spent[len(spent) // 2],
        "p99_ms": 1000 * spent[len(spent) * 99 // 100],
    }


def _main() -> None:
    port, path, clients, seconds = sys.argv[1:]
    token, _, body = sys.stdin.read().partition("\n")
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", f"Host: localhost:{port}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body.encode())}"]
    request = "\r\n".join([*lines, "", body]).encode()
    found = uvloop.run(_load(int(port), request, int(clients), float(seconds)))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main()
