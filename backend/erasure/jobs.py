"""What erasure does by itself, at the start and every hour."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from backend.errors import AssentError

_LOG = logging.getLogger("assent.erasure")
INTERVAL_SECONDS: Final = 3600.0


class ErasureJobs:
    """A thread. Several processes may run one: each job is safe to repeat."""

    def __init__(self, jobs: Sequence[Callable[[], object]]) -> None:
        self._jobs = tuple(jobs)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="erasure", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop; returns when a run under way has ended."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            for job in self._jobs:
                self._attempt(job)
            if self._stop.wait(INTERVAL_SECONDS):
                return

    def _attempt(self, job: Callable[[], object]) -> None:
        # Each for itself, and nothing may end the thread: what failed is tried again in an hour.
        try:
            job()
        except AssentError as failure:
            _LOG.warning("a job of erasure failed", extra={"code": failure.code})
        except Exception:  # noqa: BLE001 - see above; it is logged
            _LOG.exception("a job of erasure failed unexpectedly")
