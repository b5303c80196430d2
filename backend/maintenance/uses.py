"""Holds the counted uses of consents against the log: a count that was put back would give uses back."""

from __future__ import annotations

from collections import Counter, defaultdict

from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.use_store import MongoUseStore
from backend.audit import codes
from backend.audit.entry import AuditEvent, Outcome
from backend.consent.evidence_store import ConsentRow
from backend.consent.terms import Grant
from backend.consent.uses import UNLIMITED, UNUSED, limit_of
from backend.errors import AssentError, IntegrityError
from backend.maintenance.report import Report
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import ConsentId, RecordId


class LoggedUses:
    """Give it every event of the log, then ``check``."""

    def __init__(self) -> None:
        self._reads: dict[ConsentId, Counter[RecordId]] = defaultdict(Counter)

    def note(self, event: AuditEvent) -> None:
        if event.type == codes.RECORD_READ and event.outcome is Outcome.PERMITTED:
            for consent in event.consents:
                self._reads[consent].update(event.records)

    def check(self, stores: Stores, report: Report) -> None:
        """Add the consents of which fewer uses are counted than the log has. Raises Unavailable errors.

        Records that are released together are one use, so of the uses that the log has we know as many as
        there were reads of one record.
        """
        index, uses = MongoConsentIndex(stores.database), MongoUseStore(stores.database, stores.keys)
        sealer = DocumentSealer(stores.keys)
        for consent, reads in self._reads.items():
            row = index.get(consent)
            if row is None or not _is_limited(row, sealer):
                continue
            where = f"uses of consent {consent.hex()}"
            report.counts["consents with limited uses"] += 1
            try:
                taken = uses.taken([consent]).get(consent, UNUSED)
            except IntegrityError:
                report.damaged("consent_uses_damaged", where)
                continue
            if taken.made < (logged := max(reads.values())):
                report.damaged("consent_uses_rolled_back", f"{where}: {taken.made} of {logged}")


def _is_limited(row: ConsentRow, sealer: DocumentSealer) -> bool:
    try:
        document = row.opened(sealer).document
    except (AssentError, ValueError, KeyError, TypeError):
        return False  # erased, or damaged and named as such
    return isinstance(document, Grant) and limit_of(document.terms) != UNLIMITED
