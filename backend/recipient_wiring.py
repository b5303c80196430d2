"""Builds what keeps and looks up the public keys that data is sealed to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.adapters.index.public_keys import MongoPublicKeys
from backend.audit.log import AuditLog
from backend.consent.evidence import EvidenceBook
from backend.consent.typed_data import KEYS_NAME, Domain
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.records.member_keys import MemberKeys
from backend.records.patient_keys import PatientKeys
from backend.records.recipients import Recipients
from backend.stores import Stores


@dataclass(frozen=True, slots=True)
class OpenRecipients:
    patients: PatientKeys
    members: MemberKeys
    keys: Recipients  # implements records.ports.RecipientKeys


def open_recipients(
    stores: Stores,
    *,
    evidence: EvidenceBook,
    outbox: Outbox,
    driver: Driver,
    log: AuditLog,
    clock: Callable[[], int],
) -> OpenRecipients:
    """Return the services, whose steps the outbox then knows."""
    store = MongoPublicKeys(stores.database)
    patients = PatientKeys(
        store=store,
        ledger=stores.subject_keys,
        evidence=evidence,
        relay=stores.ledger,
        outbox=outbox,
        driver=driver,
        audit=log,
        domain=Domain(stores.chain.chain_id, stores.deployment.address("KeyRegistry"), KEYS_NAME),
        clock=clock,
    )
    return OpenRecipients(
        patients=patients,
        members=MemberKeys(
            registry=stores.member_keys, store=store, outbox=outbox, driver=driver, audit=log, clock=clock
        ),
        keys=Recipients(
            store=store,
            subjects=stores.subject_keys,
            members=stores.member_keys,
            withdrawn=patients.withdrawn,
        ),
    )
