"""What erasure does by itself, at the start and every hour."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from backend.errors import AssentError
from backend.recurring import Recurring

_LOG = logging.getLogger("assent.erasure")
INTERVAL_SECONDS: Final = 3600.0


class ErasureJobs(Recurring):
    """Several processes may run one: each job is safe to repeat."""

    def __init__(self, jobs: Sequence[Callable[[], object]]) -> None:
        super().__init__(
            name="erasure", every_seconds=INTERVAL_SECONDS, log=_LOG, failing="a job of erasure failed"
        )
        self._jobs = tuple(jobs)

    def _round(self) -> None:
        for job in self._jobs:
            self._attempt(job)

    def _attempt(self, job: Callable[[], object]) -> None:
        # Each for itself: what failed is tried again in an hour.
        try:
            job()
        except AssentError as failure:
            _LOG.warning("a job of erasure failed", extra={"code": failure.code})
        except Exception:  # noqa: BLE001 - see above; it is logged
            _LOG.exception("a job of erasure failed unexpectedly")
