"""The reference of the read: a FastAPI route that returns the same bytes and does nothing else.

    python -m bench.bare PORT SIZE_BYTES

Served with the service's own uvicorn settings; the route is a plain function, as the service's routes are.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from fastapi import FastAPI, Response

from backend import main
from backend.adapters.process import free_port

_START_SECONDS = 30


@contextmanager
def serving(size_bytes: int) -> Iterator[int]:
    """Run it in a process of its own; gives the port."""
    port = free_port()
    command = [sys.executable, "-m", "bench.bare", str(port), str(size_bytes)]
    process = subprocess.Popen(command)  # noqa: S603 - our own program
    try:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _main() -> None:
    port, size_bytes = map(int, sys.argv[1:])
    content = bytes(size_bytes)
    app = FastAPI()

    @app.get("/", response_class=Response)
    def read() -> Response:
        return Response(content, media_type="application/octet-stream")

    main.Server(app, ready=lambda: None).serve_on(main.bind("127.0.0.1", port))


if __name__ == "__main__":
    _main()
