"""The log as FHIR AuditEvents, for a stopped service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from backend.audit.fhir import Place, Position, audit_event
from backend.audit.search import Span
from backend.errors import NotFound
from backend.maintenance.stopped_log import StoppedLog
from backend.stores import Stores
from backend.types import SubjectId

_AT_ONCE: Final = 500


class AuditExport:
    """Opens the log of stopped stores; ``close`` it, so that the service can start at once."""

    def __init__(self, stores: Stores) -> None:
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
        while span is not None:
            found = search.scan(
                wanted, span, newest_first=False, keep=lambda _: True, limit=_AT_ONCE, most=_AT_ONCE
            )
            self.damaged += len(found.damaged)
            for entry in found.entries:
                if entry.event is not None:
                    position = Position(entry.index, entry.leaf_hash, entry.recorded_at_ms)
                    yield audit_event(entry.event, position, self._place)
            span = found.rest
