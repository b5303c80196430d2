"""Looking after one run while it goes on: how far it is, and whether it may go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeVar

from backend.research.jobs.types import Job, Phase
from backend.research.types import Candidate

CHECK_EVERY: Final = 64  # patients, between two looks at the permit
RENEW_SECONDS: Final = 60
_STEP: Final = 5
_Opened = TypeVar("_Opened")


class Watch:
    """Counts the patients of one run, and looks between them whether it may go on: ``glance`` before each,
    ``check`` once for some."""

    def __init__(
        self,
        job: Job,
        *,
        glance: Callable[[], None],
        check: Callable[[], None],
        progress: Callable[[Job, Phase, int], Job],
    ) -> None:
        self.job = job
        self._glance = glance
        self._check = check
        self._progress = progress
        self._written = time.monotonic()
        self._of = 1
        self._done = 0

    def watched(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """The candidates, each of which tells when its records are read."""
        found: list[Candidate] = []
        for place, candidate in enumerate(candidates):
            if place % CHECK_EVERY == 0:
                self._check()
                self._move(Phase.CONSENTS, 0)
            found.append(self._counted(candidate))
        self._of = max(1, sum(1 + (each.individual is not None) for each in found))
        self._check()
        self._move(Phase.RECORDS, 0)
        return found

    def _counted(self, candidate: Candidate) -> Candidate:
        own = candidate.individual
        return replace(
            candidate,
            resources=self._counting(candidate.resources),
            individual=None if own is None else replace(own, records=self._counting(own.records)),
        )

    def _counting(self, resources: Callable[[], _Opened]) -> Callable[[], _Opened]:
        def counted() -> _Opened:
            self._glance()
            if self._done % CHECK_EVERY == 0:
                self._check()
            self._done += 1
            self._move(Phase.RECORDS, min(100, 100 * self._done // self._of))
            return resources()

        return counted

    def _move(self, phase: Phase, percent: int) -> None:
        rounded = percent - percent % _STEP
        old = time.monotonic() - self._written > RENEW_SECONDS
        if (phase, rounded) != (self.job.phase, self.job.percent) or old:
            self.job = self._progress(self.job, phase, rounded)
            self._written = time.monotonic()
