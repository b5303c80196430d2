"""The audit log of a stopped service, to be read. What is read is written down in it, as the API does."""

from __future__ import annotations

import time

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.enrolment_store import MongoEnrolmentStore
from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.audit.reader import LogReader
from backend.audit.search import LogSearch
from backend.audit.sequencer import new_holder
from backend.consent.revocations import ACT as REVOCATION
from backend.stores import Stores
from backend.types import SubjectId


class StoppedLog:
    """Opens the log of stopped stores; ``close`` it, so that the service can start at once.

    ``reader`` names the part of the program that reads, as the log's entries do.
    """

    def __init__(self, stores: Stores, *, reader: str) -> None:
        self._stores = stores
        self._agent = Agent.service(reader)
        holder = new_holder()
        store, self.keys = MongoAuditStore(stores.database), StoredAuditKeys(stores.keys)
        self.log = AuditLog(
            store=store,
            keys=self.keys,
            anchor=stores.anchor,
            origin=stores.origin,
            clock_ms=_now_ms,
            takeover=stores.settings.index_uri is None,
            holder=holder,
            gone=stores.directory.succeed(holder),
        )
        self.log.start()
        self.search = LogSearch(LogReader(log=self.log, store=store, keys=self.keys), subjects=self.everybody)

    def close(self) -> None:
        self.log.close()

    def note(self, subject: SubjectId | None, *, whole: bool = False) -> None:
        """Write down that a patient's entries are read, or the system's, or with ``whole`` everybody's."""
        self.log.append(
            AuditEvent(
                type=codes.AUDIT_READ,
                outcome=Outcome.PERMITTED,
                occurred_at_ms=_now_ms(),
                actor=self._agent,
                subject=subject,
                detail={"whole": whole},
            )
        )

    def everybody(self) -> set[SubjectId]:
        """Return every subject that the log may have entries of."""
        index = MongoConsentIndex(self._stores.database)
        enrolled = MongoEnrolmentStore(self._stores.database).subjects()
        stopped = MongoActStore(self._stores.database, self._stores.keys).subjects(REVOCATION)
        return {*enrolled, *index.subjects(), *index.asked_subjects(), *stopped}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
