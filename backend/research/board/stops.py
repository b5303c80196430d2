"""Studies that are stopped from receipt: what is accepted here and not final on the chain yet (design,
invariant 1), and what was closed while it might be running.

Kept in the index, so that a stop that one process accepted stops a run in another one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from backend.research.errors import StudyNotPermitted
from backend.research.ports import PermitReader
from backend.research.types import Permit, StudyId

GLANCE_SECONDS: Final = 1.0  # so old may be what a run knows of other processes' stops between two patients
CLOSED: Final = "closed"  # the act of a study that was closed: it is never settled


@dataclass(frozen=True, slots=True)
class Stops:
    """Of one study: how many were ever accepted, and the acts that stop it now."""

    accepted: int = 0
    acts: frozenset[str] = frozenset()


class StopStore(Protocol):
    """Every write is durable, and seen by all processes, on return. All raise Unavailable."""

    def accept(self, study: StudyId, act: str) -> Stops:
        """Add an act, unless it is there, and return what there is now."""
        ...

    def settle(self, study: StudyId, act: str) -> Stops:
        """Take an act away, and return what there is now."""
        ...

    def find(self, study: StudyId) -> Stops: ...

    def standing(self) -> Iterable[tuple[StudyId, str]]:
        """Every act that stops a study now."""
        ...


class StudyStops:
    """Safe to use from many threads and processes at once. ``act`` names what stops, so that of several stops
    one that is settled leaves the others. Raises Unavailable where the index does not answer: nobody knows
    then whether a study may go on."""

    def __init__(self, store: StopStore, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._lock = threading.Lock()  # guards what is below
        self._seen: dict[StudyId, tuple[float, Stops]] = {}

    def accept(self, study: StudyId, act: str) -> None:
        """Count the study as stopped from now on, in every process."""
        self._remember(study, self._store.accept(study, act))

    def settle(self, study: StudyId, act: str) -> None:
        """Say that the chain has it, or that it came to nothing."""
        self._remember(study, self._store.settle(study, act))

    def settle_over(self, is_over: Callable[[str], bool]) -> None:
        """Settle the acts that came to their end while nobody could say so: at start-up."""
        for study, act in self._store.standing():
            if act != CLOSED and is_over(act):
                self.settle(study, act)

    def holds(self, study: StudyId) -> bool:
        return bool(self.now(study).acts)

    def guard(self, study: StudyId) -> StopGuard:
        """Return what raises once a stop of the study is accepted after this call, or while one holds."""
        return StopGuard(self, study, self.now(study).accepted)

    def now(self, study: StudyId, *, at_most_old: float = 0.0) -> Stops:
        """What stops a study; ``at_most_old`` seconds ago as far as other processes go."""
        with self._lock:
            at, stops = self._seen.get(study, (0.0, None))
        if stops is not None and self._monotonic() - at < at_most_old:
            return stops
        return self._remember(study, self._store.find(study))

    def _remember(self, study: StudyId, stops: Stops) -> Stops:
        with self._lock:
            _, known = self._seen.get(study, (0.0, None))
            # What was read before another thread's change was made must not be put over it.
            if known is None or stops.accepted >= known.accepted:
                self._seen[study] = (self._monotonic(), stops)
        return stops


@dataclass(frozen=True, slots=True)
class StopGuard:
    """Raises StudyNotPermitted when a stop came since ``accepted`` were, settled or not, or one holds."""

    stops: StudyStops
    study: StudyId
    accepted: int

    def __call__(self) -> None:
        """As of now: before anything is released."""
        self._require(self.stops.now(self.study))

    def glance(self) -> None:
        """The same between two steps of a run: other processes' stops of the last second may be missed."""
        self._require(self.stops.now(self.study, at_most_old=GLANCE_SECONDS))

    def _require(self, stops: Stops) -> None:
        if stops.acts or stops.accepted != self.accepted:
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
