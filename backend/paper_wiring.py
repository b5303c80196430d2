"""Builds what takes consents on paper."""

from __future__ import annotations

from collections.abc import Callable

from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.paper_store import MongoPaperStore
from backend.audit.log import AuditLog
from backend.consent.drafting import Drafter
from backend.consent.evidence import EvidenceBook
from backend.consent.paper_recording import PaperRecording
from backend.consent.papers import PaperConsents
from backend.consent.revocations import RevocationService
from backend.consent.service import ConsentService
from backend.consent.tables import Tables
from backend.consent.typed_data import Domain
from backend.identity.services import Identity
from backend.outbox.service import Outbox
from backend.sealed import DocumentSealer
from backend.stores import Stores


def open_papers(
    stores: Stores,
    *,
    identity: Identity,
    index: MongoConsentIndex,
    evidence: EvidenceBook,
    consents: ConsentService,
    revocations: RevocationService,
    drafter: Drafter,
    tables: Tables,
    sealer: DocumentSealer,
    outbox: Outbox,
    log: AuditLog,
    domain: Domain,
    clock: Callable[[], int],
) -> PaperConsents:
    """Return the service, after papers signed before a crash were taken up."""
    store = MongoPaperStore(stores.database)
    recording = PaperRecording(
        store=store,
        sealer=sealer,
        pairs=stores.witnesses,
        relay=stores.ledger,
        index=index,
        evidence=evidence,
        enrolments=identity.enrolments,
        consents=consents,
        outbox=outbox,
        clock=clock,
    )
    recording.complete_all()
    return PaperConsents(
        tenant=stores.tenant,
        store=store,
        sealer=sealer,
        staff=identity.staff,
        enrolments=identity.enrolments,
        evidence=evidence,
        drafter=drafter,
        tables=tables,
        pairs=stores.witnesses,
        recording=recording,
        revocations=revocations,
        audit=log,
        domain=domain,
        signed_since=stores.ledger.counts_from(),
        clock=clock,
    )
