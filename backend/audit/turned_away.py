"""Attempts at access turned away before anything was decided: without a token, a scope, an own cursor."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from backend.audit import codes
from backend.audit.entry import ANONYMOUS, Agent, AuditEvent, Outcome
from backend.audit.errors import AuditUnavailable
from backend.audit.log import AuditLog
from backend.types import MemberId

_LOG = logging.getLogger("assent.audit")
WINDOW_SECONDS = 60


class TurnedAway:
    """Puts them into the log, as entries about no patient: what was asked for is not looked at.

    A caller who is known gets an entry an attempt. Callers who are not share one a minute for each route and
    code, with the number of attempts, so that nobody without a token can fill the log. Attempts counted after
    it are written with the next one or at the close; a kill loses that number.
    """

    def __init__(self, *, log: AuditLog, clock: Callable[[], int]) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[
            tuple[str, str], tuple[int, int]
        ] = {}  # (route, code) -> (start, not yet written)

    def note(
        self, *, route: str, code: str, actor: Agent = ANONYMOUS, organisation: MemberId | None = None
    ) -> None:
        """Note one attempt. ``route`` is a name without ids. Raises AuditUnavailable."""
        attempts = 1 if actor != ANONYMOUS else self._count(route, code)
        if attempts:
            self._write(route, code, attempts, actor=actor, organisation=organisation)

    def close(self) -> None:
        """Write what was only counted, if the log can be written."""
        with self._lock:
            counted = {key: count for key, (_, count) in self._windows.items() if count}
            self._windows.clear()
        for (route, code), count in counted.items():
            try:
                self._write(route, code, count, actor=ANONYMOUS, organisation=None)
            except AuditUnavailable:
                _LOG.warning("attempts were not logged", extra={"route": route, "attempts": count})

    def _count(self, route: str, code: str) -> int:
        """Return how many attempts to write now; 0 while the last entry is younger than the window."""
        now = self._clock()
        with self._lock:
            start, counted = self._windows.get((route, code), (now - WINDOW_SECONDS, 0))
            if now - start < WINDOW_SECONDS:
                self._windows[route, code] = (start, counted + 1)
                return 0
            self._windows[route, code] = (now, 0)
            return counted + 1

    def _write(
        self, route: str, code: str, attempts: int, *, actor: Agent, organisation: MemberId | None
    ) -> None:
        self._log.append(
            AuditEvent(
                type=codes.ACCESS_TURNED_AWAY,
                outcome=Outcome.DENIED,
                occurred_at_ms=self._clock() * 1000,
                actor=actor,
                organisation=organisation,
                reasons=(code,),
                detail={"route": route, "attempts": attempts},
            )
        )
