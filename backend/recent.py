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
    """Remembers values for at most ``max_age_seconds``, and as many of them as weigh ``capacity`` together.

    ``weigh``: of a key and its value; by default each weighs 1. The age is measured on the monotonic clock,
    which nobody can set back.
    """

    def __init__(
        self,
        *,
        max_age_seconds: float = MAX_AGE_SECONDS,
        capacity: int = 10_000,
        weigh: Callable[[Key, Value], int] = lambda _key, _value: 1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_age = max_age_seconds
        self._capacity = capacity
        self._weigh = weigh
        self._weight = 0
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
                self._drop(key)
                self._entries[key] = (asked_at, value)
                self._weight += self._weigh(key, value)
                while self._weight > self._capacity:
                    self._drop(next(iter(self._entries)))
        return value

    def forget(self, key: Key | None = None) -> None:
        """Forget what was remembered of ``key``, or everything: it has changed.

        Nor is anything remembered that is being loaded now.
        """
        with self._lock:
            self._epoch += 1
            if key is None:
                self._entries.clear()
                self._weight = 0
            else:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        found = self._entries.pop(key, None)
        if found is not None:
            self._weight -= self._weigh(key, found[1])
