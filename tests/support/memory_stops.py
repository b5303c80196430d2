"""What stops studies, in memory: what several processes share."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from backend.research.board.stops import Stops
from backend.research.types import StudyId


@dataclass
class MemoryStopStore:
    known: dict[StudyId, Stops] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    reads: int = 0

    def accept(self, study: StudyId, act: str) -> Stops:
        with self.lock:
            stops = self.known.get(study, Stops())
            if act not in stops.acts:
                self.known[study] = Stops(stops.accepted + 1, stops.acts | {act})
            return self.known[study]

    def settle(self, study: StudyId, act: str) -> Stops:
        with self.lock:
            stops = self.known.get(study, Stops())
            self.known[study] = Stops(stops.accepted, stops.acts - {act})
            return self.known[study]

    def find(self, study: StudyId) -> Stops:
        with self.lock:
            self.reads += 1
            return self.known.get(study, Stops())

    def standing(self) -> Iterable[tuple[StudyId, str]]:
        with self.lock:
            return [(study, act) for study, stops in self.known.items() for act in sorted(stops.acts)]
