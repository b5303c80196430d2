"""One anvil child on a loopback port that only it can have, gone when its parent is gone."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from backend.adapters.ledger.errors import ChainBinaryMissing, ChainStartFailed
from backend.adapters.ledger.genesis import Genesis

_PR_SET_PDEATHSIG = 1
_LISTENING = re.compile(rb"Listening on 127\.0\.0\.1:(\d+)")
# Loaded before any fork: between fork and exec only the call itself may happen.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def find_anvil(root: Path, override: Path | None = None) -> Path:
    """Return the native anvil that npm installed under ``root``. Raise ChainBinaryMissing."""
    candidates = [override] if override else sorted(root.glob("node_modules/@foundry-rs/anvil-*/bin/anvil*"))
    for path in candidates:
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
    raise ChainBinaryMissing("The anvil program was not found.")


class AnvilProcess:
    """A running anvil. Start it from a thread that lives as long as the child should (see ``_leash``)."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.pid = process.pid
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    def start(
        cls,
        binary: Path,
        genesis: Genesis,
        *,
        directory: Path,
        history_blocks: int | None,
        timeout_seconds: float = 20.0,
    ) -> AnvilProcess:
        """Start and wait until it listens. The kernel picks the port, so no other process can answer on it.

        ``directory`` gets ``anvil.log``. ``history_blocks`` None keeps every state (a copy each: for
        inspection only). Raise ChainStartFailed.
        """
        arguments = [
            str(binary),
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-cors",
            "--no-request-size-limit",
        ]
        arguments += ["--no-mining", "--order", "fifo", "--base-fee", "0", "--gas-price", "0"]
        arguments += [
            "--disable-min-priority-fee",
            "--hardfork",
            "paris",
            "--accounts",
            "0",
            "--color",
            "never",
        ]
        arguments += ["--gas-limit", str(genesis.gas_limit), "--chain-id", str(genesis.chain_id)]
        arguments += ["--timestamp", str(genesis.timestamp), "--threads", "2"]
        if history_blocks is not None:
            arguments += ["--prune-history", str(history_blocks)]
        log = directory / "anvil.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own pinned binary, arguments are numbers
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"HOME": str(directory), "NO_COLOR": "1"},
                start_new_session=True,  # Ctrl-C in the terminal is for the service, which closes in order
                preexec_fn=_leash(os.getpid()),  # noqa: PLW1509 - one system call, resolved before the fork
            )
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            found = _LISTENING.search(log.read_bytes())
            if found:
                return cls(process, int(found[1]))
            if process.poll() is not None:
                break
            time.sleep(0.005)
        process.kill()
        process.wait(10)
        raise ChainStartFailed("The embedded chain did not start.")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Return True once the child has ended, False when the wait was over first."""
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it at once. It holds nothing that the journal does not, so there is nothing to save."""
        if self._process.poll() is None:
            self._process.kill()
        self.wait(10)


def _leash(parent_pid: int) -> Callable[[], None] | None:
    """Return what the child does before exec: ask the kernel for SIGKILL when its parent ends (prctl(2)).

    The signal comes when the *thread* that forked ends, hence the rule on who may start. Elsewhere than
    on Linux there is no such call; an orphan there keeps its own port and is never spoken to again.
    """
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent_pid:  # the parent ended between fork and prctl
            os._exit(1)

    return before_exec
