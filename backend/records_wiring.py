"""Builds what stores, reads, seals and hands over records."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from backend.adapters.index.record_index import MongoRecordIndex
from backend.adapters.index.slot_store import MongoSlotIndex
from backend.adapters.storage.swarm import SwarmBlockStore
from backend.audit.log import AuditLog
from backend.consent.deciding import DecisionService
from backend.consent.evidence import EvidenceBook
from backend.consent.restrictions import RestrictionQueue
from backend.consent.typed_data import KEYS_NAME, Domain
from backend.interop.portability.exporting import Portability
from backend.interop.receipts.signing import DocumentSigner
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.recipient_wiring import OpenRecipients
from backend.records.blocks import Cid
from backend.records.context import SuiteNumber
from backend.records.end_to_end import EndToEnd
from backend.records.label_tables import LabelTables
from backend.records.manifests import ManifestBook
from backend.records.mediation import Mediation
from backend.records.pin_repair import PinRepair
from backend.records.ports import RecipientKeys, VersionRow
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
    end_to_end: EndToEnd
    mediation: Mediation
    pin_repair: PinRepair | None  # where the block store is several nodes


def open_slots(stores: Stores, sealer: DocumentSealer) -> SlotBook:
    return SlotBook(
        tenant=stores.tenant, index=MongoSlotIndex(stores.database), keys=stores.keys, sealer=sealer
    )


def open_vault(stores: Stores, slots: SlotBook) -> Vault:
    return Vault(
        tenant=stores.tenant,
        keys=stores.keys,
        slots=slots,
        blocks=stores.blocks,
        suites=frozenset(map(SuiteNumber, stores.settings.allowed_suites)),
    )


def open_records(
    stores: Stores,
    *,
    sealer: DocumentSealer,
    restrictions: RestrictionQueue,
    evidence: EvidenceBook,
    decisions: DecisionService,
    recipients: OpenRecipients,
    domain: Domain,
    outbox: Outbox,
    driver: Driver,
    log: AuditLog,
    record_numbers: Callable[[SubjectId], Collection[str]],
    labels: LabelTables,
    clock: Callable[[], int],
) -> Records:
    """Return the services, whose steps the outbox then knows."""
    index = MongoRecordIndex(stores.database)
    slots = open_slots(stores, sealer)
    vault = open_vault(stores, slots)
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
    end_to_end = EndToEnd(
        slots=slots,
        vault=vault,
        manifests=manifests,
        storing=storing,
        recipients=recipients.keys,
        evidence=evidence,
        audit=log,
        domain=domain,
        labels=labels,
        clock=clock,
    )
    mediation = Mediation(
        slots=slots,
        vault=vault,
        manifests=manifests,
        patients=recipients.patients,
        keys=stores.keys,
        audit=log,
        domain=Domain(domain.chain_id, stores.deployment.address("KeyRegistry"), KEYS_NAME),
        consents=domain,
        clock=clock,
    )
    return Records(
        index=index,
        slots=slots,
        vault=vault,
        manifests=manifests,
        storing=storing,
        reading=reading,
        end_to_end=end_to_end,
        mediation=mediation,
        pin_repair=_pin_repair(stores, index, manifests),
    )


def _pin_repair(stores: Stores, index: MongoRecordIndex, manifests: ManifestBook) -> PinRepair | None:
    if not isinstance(stores.blocks, SwarmBlockStore):
        return None

    def roots(row: VersionRow) -> list[Cid]:
        return [segment.address.root for segment in manifests.unchecked(row).segments]

    return PinRepair(
        replicas=stores.blocks,
        records=index,
        roots=roots,
        erases=manifests.erases,
        interval_seconds=stores.settings.pin_repair_seconds,
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
