"""Waiting for what others do."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from backend.adapters.ledger.rpc import RpcError
from backend.errors import LedgerUnavailable

_PATIENCE_SECONDS: Final = 120.0


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
