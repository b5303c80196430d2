"""Builds what erases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from backend.adapters.index.erasables import RecordVersions, erasables, under_way
from backend.adapters.index.erasure_store import MongoErasureRows, MongoHoldRows
from backend.adapters.index.kept_results import MongoKeptResults, MongoRemovalRows, ReleasedRows
from backend.adapters.index.marks import Marks
from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.adapters.keys.study_keys import StoredStudyKeys
from backend.audit.log import AuditLog
from backend.audit.proof import ProofBuilder
from backend.consent.evidence import EvidenceBook
from backend.consent.restrictions import RestrictionQueue
from backend.consent.tables import Tables
from backend.erasure.authority import MayErase
from backend.erasure.destruction import Destruction
from backend.erasure.holds import LegalHolds
from backend.erasure.jobs import ErasureJobs
from backend.erasure.ports import Erasable
from backend.erasure.results import ResultRetention
from backend.erasure.retention import Overdue, Retention, read_rules
from backend.erasure.service import Erasures, destroyed
from backend.erasure.services import ErasureServices
from backend.errors import IntegrityError
from backend.interop.receipts.parties import Custodian
from backend.interop.receipts.signing import DocumentSigner
from backend.notices.delivering import place_of
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.records.manifests import ManifestBook
from backend.records.slot_book import SlotBook
from backend.research.pseudonyms import release_mark, row_pseudonym
from backend.research.study import Study
from backend.research.types import StudyId
from backend.sealed import DocumentSealer, documents_keys
from backend.settings import Settings
from backend.stores import Stores
from backend.types import SubjectId

HOUR_SECONDS = 3600


def open_erasure(
    settings: Settings,
    stores: Stores,
    *,
    manifests: ManifestBook,
    slots: SlotBook,
    evidence: EvidenceBook,
    sealer: DocumentSealer,
    forget: Iterable[Callable[[SubjectId], None]],
    restrictions: RestrictionQueue,
    outbox: Outbox,
    driver: Driver,
    log: AuditLog,
    proofs: ProofBuilder,
    custodian: Custodian,
    tables: Tables,
    study_of: Callable[[StudyId], Study],
    clock: Callable[[], int],
) -> ErasureServices:
    """Return the services; what is locked or gone is hidden from now on. ``forget``: what else remembers."""
    signer = DocumentSigner(stores.keys)
    code_key = stores.keys.get_or_create("master", "erasure-receipts").reveal()
    rows = MongoErasureRows(stores.database, stores.keys)
    holds = LegalHolds(
        rows=MongoHoldRows(stores.database, stores.keys),
        is_erased=lambda scope: destroyed(scope, rows),
        signer=signer,
        sealer=sealer,
        custodian=custodian,
        audit=log,
        clock=clock,
    )
    forgetting = (evidence.forget, *forget)

    def forget_all(subject: SubjectId) -> None:
        manifests.forget()
        slots.forget()
        for each in forgetting:
            each(subject)

    erasures = Erasures(
        rows=rows,
        records=RecordVersions(stores.database),
        holds=holds,
        destruction=open_destruction(
            stores, manifests=manifests, slots=slots, sealer=sealer, forget=forget_all
        ),
        restrictions=restrictions,
        outbox=outbox,
        driver=driver,
        audit=log,
        code_key=code_key,
        clock=clock,
    )
    erasures.restore()
    grace_seconds = settings.erasure_grace_hours * HOUR_SECONDS
    retention = Retention(
        overdue=Overdue(
            rules=() if settings.retention_file is None else read_rules(settings.retention_file, tables),
            records=RecordVersions(stores.database),
            open_manifest=manifests.unchecked,
            erases=restrictions.erases,
            held=lambda scope: holds.active(scope) is not None,
            clock=clock,
        ),
        erasures=erasures,
        key=code_key,
        grace_seconds=grace_seconds,
        clock=clock,
    )
    results = ResultRetention(
        kept=MongoKeptResults(stores.database),
        rows=MongoRemovalRows(stores.database, stores.keys),
        study_of=study_of,
        days=settings.result_retention_days,
        audit=log,
        clock=clock,
    )
    return ErasureServices(
        erasures=erasures,
        holds=holds,
        erases=restrictions.erases,
        may_erase=MayErase(evidence=evidence, clock=clock),
        proofs=proofs,
        signer=signer,
        custodian=custodian,
        code_key=code_key,
        grace_seconds=grace_seconds,
        retention=retention,
        results=results,
        jobs=ErasureJobs([erasures.sweep, retention.run, results.run]),
    )


def open_destruction(
    stores: Stores,
    *,
    manifests: ManifestBook,
    slots: SlotBook,
    sealer: DocumentSealer,
    forget: Callable[[SubjectId], None],
) -> Destruction:
    """Return what destroys, in all stores. ``forget`` drops what is remembered of a person."""
    return Destruction(
        keys=stores.keys,
        blocks=stores.blocks,
        records=RecordVersions(stores.database),
        commitments=stores.commitments,
        erasables=open_erasables(stores, slots=slots, sealer=sealer),
        open_manifest=manifests.unchecked,
        forget=forget,
        under_way=under_way(stores.database),
    )


def open_erasables(stores: Stores, *, slots: SlotBook, sealer: DocumentSealer) -> Sequence[Erasable]:
    """Return every class of things about a person, in the order in which they are erased."""

    def opened(document: Mapping[str, Any]) -> bytes | None:
        try:
            return sealer.open(document["sealed"], subject=None, place=place_of(document["_id"]))
        except IntegrityError:
            return None  # nobody can read it

    studies = StoredStudyKeys(stores.keys)
    return erasables(
        stores.database,
        opened=opened,
        names_of=(
            lambda subject: documents_keys(stores.keys, subject),
            slots.keys_of,
            StoredAuditKeys(stores.keys).names_of,
        ),
        mark_of=lambda study, subject: release_mark(studies.study_key(study), study, subject),
        marked=lambda purpose: Marks(stores.keys, purpose).marked,
        released=ReleasedRows(
            stores.database,
            sealer,
            lambda study, researcher, subject: row_pseudonym(
                studies.study_key(study), study, researcher, subject
            ),
        ),
    )
