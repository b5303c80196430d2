"""The service under the story: the real program, as an operator starts it, in its own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from backend.adapters.process import free_port

START_SECONDS = 120


class ServiceFailed(Exception):
    """The program ended or did not answer in time."""


class Service:
    """``assent up`` on a data directory and a free port. ``settings``: by the names of ``Settings``."""

    def __init__(
        self,
        data_directory: Path,
        *,
        storage: str,
        kubo_address: str | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.data_directory = data_directory
        self._storage = storage
        self._kubo_address = kubo_address
        self._settings = settings or {}
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings as the program reads them, for its other commands on the same data."""
        named = {f"ASSENT_{name.upper()}": str(value) for name, value in self._settings.items()}
        return named if self._kubo_address is None else {**named, "ASSENT_KUBO_ADDRESS": self._kubo_address}

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start and wait until it is ready; raises ServiceFailed with the end of its output."""
        environment = {
            **os.environ,
            "ASSENT_ANCHOR_INTERVAL_SECONDS": "5",
            "ASSENT_PAYOUT_OBJECTION_SECONDS": "1",  # nobody waits three days for a story
            **self.environment,
        }
        log = (self.data_directory.parent / "service.log").open("ab")
        with log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [
                    sys.executable, "-m", "backend.cli", "up", "--no-samples",
                    "--data-directory", str(self.data_directory), "--port", str(self._port),
                    "--public-url", self.url, "--storage", self._storage,
                ],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=2).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise ServiceFailed((self.data_directory.parent / "service.log").read_text()[-2000:])

    def stop(self) -> int:
        """Stop as Ctrl-C does and return the exit status."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(timeout=10)

    def kill(self) -> None:
        """End it at once (SIGKILL), by its process id."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    def restart(self) -> None:
        self.stop()
        self.start()

    def operator(self) -> dict[str, str]:
        """The operator's account, made at the first run."""
        found: dict[str, str] = json.loads((self.data_directory / "operator.json").read_text())
        return found
