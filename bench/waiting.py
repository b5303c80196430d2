"""Waiting for what others do."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from backend.adapters.ledger.rpc import RpcError
from backend.errors import LedgerUnavailable
from bench.machine import busy_share

_PATIENCE_SECONDS: Final = 120.0
_QUIET_PATIENCE_SECONDS: Final = 2 * 3600.0
_QUIET_SHARE: Final = 0.1  # of all processors' time


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
    until(lambda: busy_share() < _QUIET_SHARE, "the machine is quiet", seconds=_QUIET_PATIENCE_SECONDS)
