"""What was read at a block, kept by what it cannot change without: the hash of that block."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from backend.types import Bytes32

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BlockCache(Generic[Key, Value]):
    """Least recently used out first.

    Safe for threads. It never answers for another block, so it cannot be stale.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[tuple[Bytes32, Key], Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, block: Bytes32 | None, key: Key) -> Value | None:
        """Return what was read at the block; None for what was not, or for a block without a known hash."""
        if block is None:
            return None
        with self._lock:
            found = self._kept.get((block, key))
            if found is not None:
                self._kept.move_to_end((block, key))
            return found

    def put(self, block: Bytes32, key: Key, value: Value) -> None:
        with self._lock:
            self._kept[block, key] = value
            self._kept.move_to_end((block, key))
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
