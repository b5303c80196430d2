"""Opens what auditors and privacy officers look through the log with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.ledger.past import EventLedger
from backend.audit.epochs import AuditKeyRotation
from backend.audit.search import LogSearch
from backend.consent.evidence import EvidenceBook
from backend.consent.revocations import ACT as REVOCATION
from backend.consent.tables import Tables
from backend.log_wiring import OpenLog
from backend.records.affected import BreachSearch
from backend.records.manifests import ManifestBook
from backend.records.replaying import KeptInIndex, Replayer
from backend.stores import Stores
from backend.types import SubjectId


@dataclass(frozen=True, slots=True)
class Review:
    search: LogSearch
    breaches: BreachSearch
    keys: AuditKeyRotation
    replayer: Replayer


def open_review(
    stores: Stores,
    opened: OpenLog,
    *,
    evidence: EvidenceBook,
    manifests: ManifestBook,
    tables: Tables,
    digest: str,
    subjects: tuple[Callable[[], Iterable[SubjectId]], ...],
) -> Review:
    """``subjects`` give, together, everybody here whose entries the log may hold; ``digest`` names
    the tables."""
    acts = MongoActStore(stores.database, stores.keys)

    def everybody() -> set[SubjectId]:
        own = {subject for some in subjects for subject in some()}
        return own | acts.subjects(REVOCATION)  # stops are taken of other custodians' patients, too

    search = LogSearch(opened.reader, subjects=everybody)
    return Review(
        search,
        BreachSearch(search=search, manifest_of=manifests.kept),
        AuditKeyRotation(keys=opened.audit_keys, log=opened.log, subjects=everybody),
        Replayer(
            kept=KeptInIndex(evidence, manifests),
            ledger=EventLedger(stores.events, stores.deployment),
            tables=tables,
            digest=digest,
        ),
    )
