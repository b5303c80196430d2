"""A small cache for answers that may be a moment old."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

MAX_AGE_SECONDS: Final = 2.0

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class RecentCache(Generic[Key, Value]):
    """Remembers values for at most ``max_age_seconds`` and at most ``capacity`` of them.

    The age is measured on the monotonic clock, which nobody can set back.
    """

    def __init__(
        self,
        *,
        max_age_seconds: float = MAX_AGE_SECONDS,
        capacity: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_age = max_age_seconds
        self._capacity = capacity
        self._monotonic = monotonic
        self._entries: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._epoch = 0
        self._lock = threading.Lock()

    def get(self, key: Key, load: Callable[[], Value]) -> Value:
        """Return the remembered value, or load it. What ``load`` raises is raised and not remembered."""
        asked_at = self._monotonic()
        with self._lock:
            found = self._entries.get(key)
            epoch = self._epoch
        if found is not None and asked_at - found[0] < self._max_age:
            return found[1]
        value = load()
        with self._lock:
            # A value loaded before a forget() may be the old one. Age counts from before the load.
            if epoch == self._epoch:
                self._entries[key] = (asked_at, value)
                self._entries.move_to_end(key)
                while len(self._entries) > self._capacity:
                    self._entries.popitem(last=False)
        return value

    def forget(self, key: Key | None = None) -> None:
        """Forget what was remembered of ``key``, or everything: it has changed.

        Nor is anything remembered that is being loaded now.
        """
        with self._lock:
            self._epoch += 1
            if key is None:
                self._entries.clear()
            else:
                self._entries.pop(key, None)
