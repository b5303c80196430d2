"""Builds what stores, reads, seals and hands over records."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from backend.adapters.index.record_index import MongoRecordIndex
from backend.adapters.index.slot_store import MongoSlotIndex
from backend.audit.log import AuditLog
from backend.consent.deciding import DecisionService
from backend.consent.evidence import EvidenceBook
from backend.consent.restrictions import RestrictionQueue
from backend.consent.typed_data import KEYS_NAME, Domain
from backend.interop.portability.exporting import Portability
from backend.interop.receipts.signing import DocumentSigner
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.records.end_to_end import EndToEnd
from backend.records.label_tables import LabelTables
from backend.records.manifests import ManifestBook
from backend.records.mediation import Mediation
from backend.records.patient_keys import PatientKeys
from backend.records.ports import RecipientKeys
from backend.records.reading import ReadingService
from backend.records.slot_book import SlotBook
from backend.records.storing import StoringService
from backend.records.vault import Vault
from backend.sealed import DocumentSealer
from backend.stores import Stores
from backend.types import SubjectId


@dataclass(frozen=True, slots=True)
class Records:
    index: MongoRecordIndex
    slots: SlotBook
    vault: Vault
    manifests: ManifestBook
    storing: StoringService
    reading: ReadingService


def open_records(
    stores: Stores,
    *,
    sealer: DocumentSealer,
    restrictions: RestrictionQueue,
    decisions: DecisionService,
    outbox: Outbox,
    driver: Driver,
    log: AuditLog,
    record_numbers: Callable[[SubjectId], Collection[str]],
    labels: LabelTables,
    clock: Callable[[], int],
) -> Records:
    """Return the services, whose steps the outbox then knows."""
    index = MongoRecordIndex(stores.database)
    slots = SlotBook(
        tenant=stores.tenant, index=MongoSlotIndex(stores.database), keys=stores.keys, sealer=sealer
    )
    vault = Vault(tenant=stores.tenant, keys=stores.keys, slots=slots, blocks=stores.blocks)
    manifests = ManifestBook(
        index=index,
        keys=stores.keys,
        sealer=sealer,
        ledger=stores.commitments,
        erases=restrictions.erases,
    )
    storing = StoringService(
        tenant=stores.tenant,
        index=index,
        manifests=manifests,
        vault=vault,
        keys=stores.keys,
        sealer=sealer,
        ledger=stores.commitments,
        outbox=outbox,
        driver=driver,
        audit=log,
        record_numbers=record_numbers,
        labels=labels,
        clock=clock,
    )
    reading = ReadingService(index=index, manifests=manifests, vault=vault, decisions=decisions, audit=log)
    return Records(index, slots, vault, manifests, storing, reading)


def open_end_to_end(
    records: Records,
    *,
    recipients: RecipientKeys,
    evidence: EvidenceBook,
    log: AuditLog,
    domain: Domain,
    labels: LabelTables,
    clock: Callable[[], int],
) -> EndToEnd:
    return EndToEnd(
        slots=records.slots,
        vault=records.vault,
        manifests=records.manifests,
        storing=records.storing,
        recipients=recipients,
        evidence=evidence,
        audit=log,
        domain=domain,
        labels=labels,
        clock=clock,
    )


def open_mediation(
    stores: Stores,
    records: Records,
    *,
    patients: PatientKeys,
    log: AuditLog,
    domain: Domain,
    clock: Callable[[], int],
) -> Mediation:
    registry = stores.deployment.address("KeyRegistry")
    return Mediation(
        slots=records.slots,
        vault=records.vault,
        manifests=records.manifests,
        patients=patients,
        keys=stores.keys,
        audit=log,
        domain=Domain(domain.chain_id, registry, KEYS_NAME),
        consents=domain,
        clock=clock,
    )


def open_portability(
    stores: Stores,
    records: Records,
    *,
    recipients: RecipientKeys,
    signer: DocumentSigner,
    log: AuditLog,
    clock: Callable[[], int],
) -> Portability:
    return Portability(
        index=records.index,
        manifests=records.manifests,
        reading=records.reading,
        recipients=recipients,
        keys=stores.keys,
        signer=signer,
        audit=log,
        clock=clock,
    )
