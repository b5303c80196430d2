"""Marks of idempotency keys in memory."""

from __future__ import annotations

import threading
from dataclasses import replace

from backend.idempotency import Mark


class MemoryMarks:
    def __init__(self) -> None:
        self.rows: dict[str, Mark] = {}
        self._lock = threading.Lock()

    def begin(self, mark: Mark) -> Mark:
        with self._lock:
            return self.rows.setdefault(mark.mark_id, mark)

    def finish(self, mark_id: str) -> None:
        with self._lock:
            self.rows[mark_id] = replace(self.rows[mark_id], finished=True)
