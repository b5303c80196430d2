"""Runs the service: opens the stores, serves the API until asked to stop, closes in order."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from backend.errors import OperatorError

DRAIN_SECONDS = 20


class PortTaken(OperatorError):
    code = "port_taken"
    remedy = "Another program listens on this port. Stop it, or choose another: assent up --port 8001."


class AddressRefused(OperatorError):
    code = "address_refused"
    remedy = "This machine has no such address, or the port needs other rights. Check --host and --port."


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything else starts, so that a taken one costs nothing.

    Raises PortTaken or AddressRefused.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as failure:
        listener.close()
        if failure.errno == errno.EADDRINUSE:
            raise PortTaken(f"port {port} of {host} is taken") from failure
        raise AddressRefused(f"cannot listen on {host} port {port}") from failure
    return listener


def server_config(app: ASGIApp) -> uvicorn.Config:
    """How the HTTP server runs."""
    return uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        # The server's own reading of forwarded headers believes anything that connects from this machine;
        # ``backend.api.limits`` believes only the proxies that a setting names.
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
    )


class Server(uvicorn.Server):
    """Serves ``app``. ``ready`` is called once, when requests are taken."""

    def __init__(self, app: ASGIApp, *, ready: Callable[[], None]) -> None:
        super().__init__(server_config(app))
        self._ready = ready

    def serve_on(self, listener: socket.socket) -> None:
        """Serve until SIGINT, SIGTERM or ``end``; requests under way get ``DRAIN_SECONDS`` to end.

        Call it from the main thread. What is closed afterwards is closed whichever signal it was.
        """
        # uvicorn raises the signal again after its orderly end, and SIGTERM would end the process there.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with suppress(KeyboardInterrupt):
                self.run(sockets=[listener])
        finally:
            signal.signal(signal.SIGTERM, before)

    def end(self) -> None:
        """Stop as for SIGTERM; any thread may call."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
