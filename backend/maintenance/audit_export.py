"""The log as FHIR AuditEvents, for a stopped service. What it reads it writes down first, as the API does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.enrolment_store import MongoEnrolmentStore
from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.fhir import Place, Position, audit_event
from backend.audit.log import AuditLog
from backend.audit.reader import LogReader
from backend.audit.search import LogSearch, Span
from backend.errors import NotFound
from backend.stores import Stores
from backend.types import SubjectId

_AT_ONCE: Final = 500


class AuditExport:
    """Opens the log of stopped stores; ``close`` it, so that the service can start at once."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        store, keys = MongoAuditStore(stores.database), StoredAuditKeys(stores.keys)
        self._log = AuditLog(
            store=store,
            keys=keys,
            anchor=stores.anchor,
            origin=stores.origin,
            clock_ms=_now_ms,
            takeover=stores.settings.index_uri is None,
        )
        self._log.start()
        self._search = LogSearch(LogReader(log=self._log, store=store, keys=keys), subjects=self._everybody)
        self.damaged = 0  # entries met that could not be read

    def close(self) -> None:
        self._log.close()

    def events(self, subject: SubjectId | None) -> Iterator[dict[str, Any]]:
        """Yield one patient's entries, or all, oldest first. Raises NotFound for a patient without any."""
        if subject is not None and not self._search.is_known(subject):
            raise NotFound(field="subject")
        wanted = None if subject is None else [subject]
        span: Span | None = self._search.span()
        self._note(subject)
        place = Place(self._log.origin, self._stores.settings.public_url.rstrip("/"))
        while span is not None:
            found = self._search.scan(
                wanted, span, newest_first=False, keep=lambda _: True, limit=_AT_ONCE, most=_AT_ONCE
            )
            self.damaged += len(found.damaged)
            for entry in found.entries:
                if entry.event is not None:
                    position = Position(entry.index, entry.leaf_hash, entry.recorded_at_ms)
                    yield audit_event(entry.event, position, place)
            span = found.rest

    def _note(self, subject: SubjectId | None) -> None:
        self._log.append(
            AuditEvent(
                type=codes.AUDIT_READ,
                outcome=Outcome.PERMITTED,
                occurred_at_ms=_now_ms(),
                actor=Agent.service("audit-export"),
                subject=subject,
                detail={"whole": subject is None},
            )
        )

    def _everybody(self) -> set[SubjectId]:
        index = MongoConsentIndex(self._stores.database)
        enrolled = MongoEnrolmentStore(self._stores.database).subjects()
        return {*enrolled, *index.subjects(), *index.asked_subjects()}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
