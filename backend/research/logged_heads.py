"""Heads of the privacy ledger as entries of the audit log, which nobody can put back with the index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from backend.audit import codes
from backend.audit.access import AccessEntry
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.errors import EntryDamaged
from backend.audit.log import AuditLog
from backend.audit.search import LogSearch
from backend.research.types import LedgerHead, NanoRho
from backend.types import SubjectId

LOOKED_AT_ONCE: Final = 1_000


class LoggedHeads:
    """Implements ``backend.research.ports.HeadLog`` for one ledger."""

    def __init__(self, *, log: AuditLog, search: LogSearch, ledger: str, clock: Callable[[], int]) -> None:
        self._log = log
        self._search = search
        self._ledger = ledger
        self._clock = clock

    def note(self, head: LedgerHead) -> None:
        self._log.append(event_of(head, at=self._clock()))

    def newest(self) -> tuple[LedgerHead | None, bool]:
        """The newest head in the log, and whether it stands near the log's end (a thousand entries).

        Reads the system's entries backwards. Raises EntryDamaged when one cannot be opened on the way, since
        it may be the one looked for, and AuditUnavailable.
        """
        system: set[SubjectId | None] = {None}
        span = self._search.span()
        near = True
        while True:
            found = self._search.scan(
                system, span, newest_first=True, keep=self._is_ours, limit=1, most=LOOKED_AT_ONCE
            )
            if found.damaged:
                raise EntryDamaged(f"entry {found.damaged[0]} cannot be read")
            if found.entries:
                event = found.entries[0].event
                return (None if event is None else head_of(event)), near
            if found.rest is None:
                return None, near
            span, near = found.rest, False

    def _is_ours(self, entry: AccessEntry) -> bool:
        head = None if entry.event is None else head_of(entry.event)
        return head is not None and head.ledger == self._ledger


def event_of(head: LedgerHead, *, at: int) -> AuditEvent:
    return AuditEvent(
        type=codes.PRIVACY_CHARGED,
        outcome=Outcome.CHANGED,
        occurred_at_ms=at * 1000,
        actor=Agent.service("research"),
        detail={"ledger": head.ledger, "count": head.count, "digest": head.digest, "spent": head.spent},
    )


def head_of(event: AuditEvent) -> LedgerHead | None:
    """The head that an entry tells, None for any other entry."""
    if event.type != codes.PRIVACY_CHARGED:
        return None
    match dict(event.detail):
        case {"ledger": str(ledger), "count": int(count), "digest": bytes(digest), "spent": int(spent)}:
            return LedgerHead(ledger, count, digest, NanoRho(spent))
    return None
