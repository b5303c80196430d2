"""One node of a swarm: the threads that wait for it, and whether it is worth asking first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from backend.errors import AssentError
from backend.records.storage_ports import BlockStore, StorageFull, StorageUnavailable

_THREADS: Final = 8
_SHUNNED_SECONDS: Final = 60.0
_Found = TypeVar("_Found")


class SwarmNode:
    """``name``: its address. ``store``: its own blocks alone. ``altered``: how often it gave other bytes."""

    def __init__(self, name: str, store: BlockStore) -> None:
        self.name = name
        self.store = store
        self.altered = 0
        self._lock = threading.Lock()
        self._shunned_until = 0.0
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="block-node")

    @property
    def is_shunned(self) -> bool:
        """It was away or slow a moment ago: it is asked last, and waited for no longer than needed."""
        return time.monotonic() < self._shunned_until

    def shun(self) -> None:
        self._shunned_until = time.monotonic() + _SHUNNED_SECONDS

    def count_altered(self) -> None:
        with self._lock:
            self.altered += 1

    def begin(self, call: Callable[[], _Found]) -> Future[_Found]:
        """Start a call in a thread of this node."""
        return self._threads.submit(self.tried, call)

    def tried(self, call: Callable[[], _Found]) -> _Found:
        """Call, and remember what that says of the node."""
        try:
            found = call()
        except StorageFull:
            raise  # it still gives what it has
        except StorageUnavailable:
            self.shun()
            raise
        except AssentError:
            self._shunned_until = 0.0
            raise
        self._shunned_until = 0.0
        return found

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.store.close()
