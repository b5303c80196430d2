"""Bounds on how often one account or client signs in. Revocations never come here (invariant 3)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from backend.identity.errors import TooManyAttempts


class RateLimit:
    """At most ``limit`` calls a key in each window of ``window_seconds``, counted in this process.

    A bound on work, not a lock: what guards passwords is counted durably (ports.AttemptCounter).
    """

    def __init__(
        self,
        *,
        limit: int,
        clock: Callable[[], int],
        window_seconds: int = 60,
        capacity: int = 50_000,
        refusal: type[TooManyAttempts] = TooManyAttempts,
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._window_seconds = window_seconds
        self._capacity = capacity
        self._refusal = refusal
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()  # key -> window, calls in it
        self._lock = threading.Lock()

    def spend(self, key: str) -> None:
        """Count one call; raises TooManyAttempts when the window is used up."""
        now = self._clock()
        window = now // self._window_seconds
        with self._lock:
            seen, count = self._counts.pop(key, (window, 0))
            count = count + 1 if seen == window else 1
            self._counts[key] = (window, min(count, self._limit + 1))
            while len(self._counts) > self._capacity:
                self._counts.popitem(last=False)
        if count > self._limit:
            raise self._refusal(retry_after_seconds=self._window_seconds - now % self._window_seconds)
