"""New audit keys for everybody: what a key that leaked opens ends with the entries written until then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.types import SubjectId

_AT_ONCE: Final = 1_000


class EpochKeys(Protocol):
    def raise_epochs(self, subjects: Iterable[SubjectId | None]) -> int:
        """Give each of those who have a key a new one, all or none, durably; return how many got one."""


class AuditKeyRotation:
    """``subjects`` gives everybody who may have entries. The service writes on meanwhile."""

    def __init__(
        self, *, keys: EpochKeys, log: AuditLog, subjects: Callable[[], Iterable[SubjectId]]
    ) -> None:
        self._keys = keys
        self._log = log
        self._subjects = subjects

    def rotate(self, *, by: Agent) -> int:
        """Raise the epoch of everybody, and of the system; return how many keys were made.

        After a crash in between, those left out get theirs at the next call, and the others one more.
        """
        everybody: list[SubjectId | None] = [None, *sorted(self._subjects())]
        starts = range(0, len(everybody), _AT_ONCE)
        raised = sum(self._keys.raise_epochs(everybody[at : at + _AT_ONCE]) for at in starts)
        self._log.append(
            AuditEvent(
                type=codes.KEY_ROTATED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=time.time_ns() // 1_000_000,
                actor=by,
                detail={"key": "audit", "count": raised},
            )
        )
        return raised
