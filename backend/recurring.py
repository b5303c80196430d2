"""Work that a service does again and again, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

from backend.errors import AssentError, Unavailable


class Recurring(ABC):
    """``start`` once, ``close`` at the end. What a round raises is logged, and the next one comes."""

    def __init__(
        self,
        *,
        name: str,
        every_seconds: float,
        log: logging.Logger,
        failing: str,
        away: int = logging.WARNING,
        waits_first: bool = False,
    ) -> None:
        """``every_seconds``: from the end of a round to the next. ``failing``: what is logged of an
        AssentError, with its code. ``away``: the level of that where a part is unavailable. ``waits_first``:
        no round at the start."""
        self._every_seconds = every_seconds
        self._log = log
        self._failing = failing
        self._away = away
        self._waits_first = waits_first
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def _round(self) -> object:
        """Do it once. One that may go on for long looks at ``_ending``."""

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop; returns when a round under way has ended."""
        self._ending.set()
        self._wake.set()
        self._thread.join()

    def _soon(self) -> None:
        """Have the next round begin now, or as soon as this one ends."""
        self._wake.set()

    def _run(self) -> None:
        if self._waits_first:
            self._wake.wait(self._every_seconds)
        while True:
            self._wake.clear()
            if self._ending.is_set():  # looked at after clearing: ``close`` sets it before it wakes
                return
            try:
                self._round()
            except AssentError as failure:
                level = self._away if isinstance(failure, Unavailable) else logging.WARNING
                self._log.log(level, self._failing, extra={"code": failure.code})
            except Exception:  # noqa: BLE001 - nothing may end the thread; it is logged
                self._log.exception("%s, unexpectedly", self._failing)
            self._wake.wait(self._every_seconds)
