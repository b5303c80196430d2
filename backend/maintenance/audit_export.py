"""The log as FHIR AuditEvents, for a stopped service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from backend.audit.access import AccessEntry
from backend.audit.entry import AuditEvent
from backend.audit.fhir import Place, Position, audit_event
from backend.audit.outside import Disguise
from backend.audit.search import Span
from backend.errors import NotFound
from backend.maintenance.stopped_log import StoppedLog
from backend.stores import Stores
from backend.types import SubjectId

_AT_ONCE: Final = 500


class AuditExport:
    """Opens the log of stopped stores; ``close`` it, so that the service can start at once.

    ``outside``: without identities, for an auditor who is not the custodian's.
    """

    def __init__(self, stores: Stores, *, outside: bool = False) -> None:
        self._disguise = Disguise() if outside else None
        self._place = Place(stores.origin, stores.settings.public_url.rstrip("/"))
        self._log = StoppedLog(stores, reader="audit-export")
        self.damaged = 0  # entries met that could not be read

    def close(self) -> None:
        self._log.close()

    def events(self, subject: SubjectId | None) -> Iterator[dict[str, Any]]:
        """Yield one patient's entries, or all, oldest first. Raises NotFound for a patient without any."""
        search = self._log.search
        if subject is not None and not search.is_known(subject):
            raise NotFound(field="subject")
        wanted = None if subject is None else [subject]
        span: Span | None = search.span()
        self._log.note(subject, whole=subject is None)
        number = 0
        while span is not None:
            found = search.scan(
                wanted, span, newest_first=False, keep=lambda _: True, limit=_AT_ONCE, most=_AT_ONCE
            )
            self.damaged += len(found.damaged)
            for entry in found.entries:
                if entry.event is not None:
                    yield self._resource(entry, entry.event, number)
                    number += 1
            span = found.rest

    def _resource(self, entry: AccessEntry, event: AuditEvent, number: int) -> dict[str, Any]:
        disguise = self._disguise
        if disguise is None:
            return audit_event(
                event, Position(entry.index, entry.leaf_hash, entry.recorded_at_ms), self._place
            )
        position = Position(number, b"", disguise.hour(entry.recorded_at_ms))
        return audit_event(disguise.of(event), position, disguise.place)
