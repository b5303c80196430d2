"""Studies that are stopped from receipt: what is accepted here and not final on the chain yet (design,
invariant 1), and what was closed while it might be running."""

from __future__ import annotations

import threading
from dataclasses import replace

from backend.research.errors import StudyNotPermitted
from backend.research.ports import PermitReader
from backend.research.types import Permit, StudyId


class StudyStops:
    """Thread-safe, in memory; acts that are not over are accepted again at start-up. ``act`` names what
    stops, so that of several stops one that is settled leaves the others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._position = 0
        self._acts: dict[StudyId, set[str]] = {}
        self._last: dict[StudyId, int] = {}

    @property
    def position(self) -> int:
        """How many stops were accepted."""
        with self._lock:
            return self._position

    def accept(self, study: StudyId, act: str) -> None:
        """Count the study as stopped from now on."""
        with self._lock:
            acts = self._acts.setdefault(study, set())
            if act not in acts:
                acts.add(act)
                self._position += 1
                self._last[study] = self._position

    def settle(self, study: StudyId, act: str) -> None:
        """Say that the chain has it, or that it came to nothing."""
        with self._lock:
            self._acts.get(study, set()).discard(act)

    def holds(self, study: StudyId) -> bool:
        with self._lock:
            return bool(self._acts.get(study))

    def guard(self, study: StudyId, position: int) -> None:
        """Raise StudyNotPermitted when a stop was accepted after ``position``, settled or not, or holds."""
        with self._lock:
            if self._last.get(study, 0) > position or self._acts.get(study):
                raise StudyNotPermitted


class StoppablePermits:
    """Implements ``research.ports.PermitReader``: a permit of the chain that nothing stops here."""

    def __init__(self, permits: PermitReader, stops: StudyStops) -> None:
        self._permits = permits
        self._stops = stops

    def permit(self, study: StudyId) -> Permit | None:
        # Asked before the chain is: what settles in between would otherwise be missed in both.
        stopped = self._stops.holds(study)
        found = self._permits.permit(study)
        return replace(found, is_live=False) if found is not None and stopped else found
