"""Child processes that never outlive the program that started them.

A store's server that lost its parent would go on writing into a directory that the next start opens again, so
the kernel is asked to kill the child with its parent (Linux ``PR_SET_PDEATHSIG``, prctl(2)), even when the
parent is killed with SIGKILL.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PORTS = range(15_000, 32_000)  # Linux gives 32768 and above, as it is set up
_TRIES = 1_000
# PR_SET_PDEATHSIG fires when the *thread* that forked ends, and worker threads of a web server come and go.
# One thread that lives as long as the program does all the forking.
_launcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")


def _die_with_parent() -> None:
    # Runs in the child between fork and exec. A terminal's Ctrl-C must reach the program only, which then
    # stops its children in order; hence the own process group.
    os.setpgid(0, 0)
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing has at this moment.

    It is none of those that the kernel gives to connections, one of which could have it before its server.
    """
    for _ in range(_TRIES):
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("This machine has no free port.")


def start(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    kept_open: Collection[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a server as a child that dies with this process; its output is discarded (it may hold data).

    ``kept_open``: descriptors that the child has too, until it ends.
    """

    def launch() -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - arguments are ours, never a request's
            [str(a) for a in arguments],
            env=dict(env) if env is not None else None,
            cwd=cwd,
            pass_fds=tuple(kept_open),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - only calls prctl
        )

    return _launcher.submit(launch).result()


def wait_until(ready: Callable[[], bool], *, timeout_seconds: float, child: subprocess.Popen[bytes]) -> bool:
    """Poll ``ready`` until it is true, the child ends, or the time is up; tell whether it became true."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if child.poll() is not None:
            return False
        if ready():
            return True
        time.sleep(0.02)
    return False


def stop(child: subprocess.Popen[bytes], *, timeout_seconds: float = 10.0) -> None:
    """Ask the child to end, by its process id; kill it when it does not within the time."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(timeout=timeout_seconds)
