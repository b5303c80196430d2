"""Builds what recovers patients' accounts."""

from __future__ import annotations

from collections.abc import Callable

from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.recovery_store import MongoRecoveryCases, MongoRecoveryPolicies
from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.desk_account import DeskAccount
from backend.audit.log import AuditLog
from backend.consent.evidence import EvidenceBook
from backend.consent.restrictions import RestrictionQueue
from backend.consent.tables import Tables
from backend.consent.typed_data import RECOVERY_NAME, Domain
from backend.identity.services import Identity
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.recovery.books import CaseBook, PolicyBook
from backend.recovery.guardians import Guardians
from backend.recovery.service import RecoveryService
from backend.recovery.steps import RecoverySteps
from backend.sealed import DocumentSealer
from backend.stores import Stores


def open_recovery(
    stores: Stores,
    *,
    identity: Identity,
    index: MongoConsentIndex,
    evidence: EvidenceBook,
    restrictions: RestrictionQueue,
    tables: Tables,
    sealer: DocumentSealer,
    outbox: Outbox,
    driver: Driver,
    log: AuditLog,
    clock: Callable[[], int],
) -> RecoveryService:
    """Return the service, after what had all its signatures when a crash came was sent on."""
    chain, delay = stores.recoveries, stores.deployment.recovery_delay_seconds
    domain = Domain(stores.chain.chain_id, stores.deployment.address("Recovery"), RECOVERY_NAME)
    policies = PolicyBook(MongoRecoveryPolicies(stores.database), sealer)
    cases = CaseBook(MongoRecoveryCases(stores.database), sealer)
    guardians = Guardians(index=index, evidence=evidence, delay_seconds=delay, clock=clock)
    steps = RecoverySteps(
        chain=chain,
        delay_seconds=delay,
        policies=policies,
        cases=cases,
        guardians=guardians,
        evidence=evidence,
        enrolments=identity.enrolments,
        sessions=identity.tokens,
        outbox=outbox,
        driver=driver,
        audit=log,
        domain=domain,
        clock=clock,
    )
    steps.register()
    service = RecoveryService(
        chain=chain,
        delay_seconds=delay,
        policies=policies,
        cases=cases,
        guardians=guardians,
        evidence=evidence,
        restrictions=restrictions,
        steps=steps,
        desk=DeskAccount(stores.keys.get_or_create("account", Sender.CUSTODIAN.value)),
        outbox=outbox,
        wallets=stores.ledger,
        audit=log,
        domain=domain,
        signed_since=stores.ledger.counts_from(),
        tables=tables,
        clock=clock,
    )
    service.resume()
    return service
