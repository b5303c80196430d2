"""Chains in memory, and a log that knows their heads."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from backend.research.joining import JoinEntry
from backend.research.types import ChainHead
from backend.types import SubjectId


@dataclass
class MemoryChainLog:
    heads: list[ChainHead] = field(default_factory=list)

    def note(self, head: ChainHead) -> None:
        self.heads.append(head)

    @property
    def newest(self) -> ChainHead | None:
        return self.heads[-1] if self.heads else None


@dataclass
class MemoryJoinStore:
    kept: list[tuple[JoinEntry, Collection[SubjectId]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def entries(self, ledger: str) -> Iterator[tuple[JoinEntry, Collection[SubjectId]]]:
        with self.lock:
            found = [each for each in self.kept if each[0].ledger == ledger]
        return iter(found)

    def append(self, entry: JoinEntry, subjects: Collection[SubjectId]) -> bool:
        with self.lock:
            if any((other.ledger, other.place) == (entry.ledger, entry.place) for other, _ in self.kept):
                return False
            self.kept.append((entry, frozenset(subjects)))
            return True
