"""Waiting for what others do."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from backend.adapters.ledger.rpc import RpcError
from backend.errors import LedgerUnavailable

_PATIENCE_SECONDS: Final = 120.0
_QUIET_PATIENCE_SECONDS: Final = 2 * 3600.0
_QUIET_SHARE: Final = 0.1  # of all processors' time
_WATCHED_SECONDS: Final = 5.0


def until(
    holds: Callable[[], bool], what: str, *, seconds: float = _PATIENCE_SECONDS, every: float = 0.1
) -> None:
    """Poll until it holds, each ``every`` seconds; a chain that cannot be asked is one of which it does not
    hold. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(LedgerUnavailable, RpcError):
            if holds():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)


def until_quiet() -> None:
    """Return once nobody else uses the processors: making ready for an hour is no reason to wait that long
    before others may begin. Raises TimeoutError."""
    until(lambda: _busy_share() < _QUIET_SHARE, "the machine is quiet", seconds=_QUIET_PATIENCE_SECONDS)


def _busy_share() -> float:
    idle, whole = _processor_times()
    time.sleep(_WATCHED_SECONDS)
    idle_then, whole_then = _processor_times()
    return 1 - (idle_then - idle) / (whole_then - whole)


def _processor_times() -> tuple[int, int]:
    """Return what was idle or waited for a disk, and all, in ticks since the machine started."""
    times = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return times[3] + times[4], sum(times)
