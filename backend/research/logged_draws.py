"""Draws of noise as entries of the audit log, which nobody can take out with the index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from backend.audit import codes
from backend.audit.access import AccessEntry
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.audit.search import LogSearch
from backend.research.logged_heads import newest_entry
from backend.research.types import Charge

_SLACK_SECONDS: Final = 86_400  # by which the clock may have been put back between a charge and its draw


class LoggedDraws:
    """Implements ``backend.research.paid_draws.DrawLog``."""

    def __init__(self, *, log: AuditLog, search: LogSearch, clock: Callable[[], int]) -> None:
        self._log = log
        self._search = search
        self._clock = clock

    def note(self, charge_id: bytes) -> None:
        self._log.append(
            AuditEvent(
                type=codes.ANSWERS_DRAWN,
                outcome=Outcome.CHANGED,
                occurred_at_ms=self._clock() * 1000,
                actor=Agent.service("research"),
                detail={"charge": charge_id},
            )
        )

    def has(self, charge: Charge) -> bool:
        """Reads the system's entries backwards, to the time of the charge. Raises EntryDamaged and
        AuditUnavailable."""
        before_charge_ms = (charge.at - _SLACK_SECONDS) * 1000

        def tells(entry: AccessEntry) -> bool:
            event = entry.event
            return (
                event is not None
                and event.type == codes.ANSWERS_DRAWN
                and event.detail.get("charge") == charge.charge_id
            )

        found, _ = newest_entry(
            self._search, lambda entry: tells(entry) or entry.recorded_at_ms < before_charge_ms
        )
        return found is not None and tells(found)
