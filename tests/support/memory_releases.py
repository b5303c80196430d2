"""A release ledger's store in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.research.releases.types import Members, ReleaseEntry


@dataclass
class MemoryReleaseStore:
    kept: list[ReleaseEntry] = field(default_factory=list)
    parts: dict[bytes, dict[bytes, int]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def entries(self, ledger: str) -> Sequence[ReleaseEntry]:
        with self.lock:
            return [entry for entry in self.kept if entry.ledger == ledger]

    def members(self, entry: ReleaseEntry) -> Members:
        return self.parts[entry.release_id]  # type: ignore[return-value]

    def append(self, entry: ReleaseEntry, members: Members) -> bool:
        with self.lock:
            if any((other.ledger, other.place) == (entry.ledger, entry.place) for other in self.kept):
                return False
            self.parts[entry.release_id] = dict(members)
            self.kept.append(entry)
            return True
