"""Keeps a collection away from blocks that are put and not pinned yet."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from backend.records.storage_ports import StorageBusy


class Writers:
    """Counts who puts blocks and will pin them. A collection does not wait for them: it comes again later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1

    @contextmanager
    def none(self) -> Iterator[None]:
        """Keep new ones out while it lasts. Raises StorageBusy where there is one."""
        with self._lock:
            if self._count:
                raise StorageBusy
            yield
