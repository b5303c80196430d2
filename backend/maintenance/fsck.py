"""``assent fsck``: every row, block, key and entry against what the chain says. Works on a stopped service,
also when the service itself refuses to start on what it finds."""

from __future__ import annotations

import time
from pathlib import Path

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.index.failures import DocumentMalformed
from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.audit.entry import AuditEvent
from backend.audit.errors import LogKeysDamaged
from backend.audit.fsck import Fsck
from backend.log_wiring import open_log_keys
from backend.maintenance.care_teams import check_care_teams
from backend.maintenance.chain_facts import read_chain
from backend.maintenance.consents import check_consents
from backend.maintenance.documents import check_documents
from backend.maintenance.erasures import check_erasures, read_gone
from backend.maintenance.errors import NoDeployment
from backend.maintenance.logged_chains import LoggedChains
from backend.maintenance.payments import check_payments
from backend.maintenance.privacy_ledger import LoggedLedger
from backend.maintenance.records import RecordCheck
from backend.maintenance.report import Report
from backend.maintenance.uses import LoggedUses
from backend.settings import Settings
from backend.stores import Stores
from backend.types import SubjectId


def require_deployment(settings: Settings) -> None:
    """Raise NoDeployment for a directory without one, which a check must not fill."""
    if not (Path(settings.data_directory) / "chain" / "deployment.json").exists():
        raise NoDeployment(str(settings.data_directory))


def check_everything(stores: Stores, *, repair: bool = False) -> Report:
    """Return what is damaged; ``repair`` brings nodes of the block store what they lack, and what they then
    have is no damage. Raises Unavailable errors where a store does not answer."""
    report = Report()
    facts = read_chain(stores)
    gone = read_gone(stores)
    RecordCheck(stores, facts, gone, report, repair=repair).run()
    check_consents(stores, facts, gone, report)
    check_erasures(stores, report)
    check_care_teams(stores, report)
    check_documents(stores, report)
    check_payments(stores, gone, report)
    check_audit(stores, facts.subjects, report)
    check_keys(stores, report)
    return report


def check_keys(stores: Stores, report: Report) -> None:
    """Open every secret of the key store, and count them."""
    for where in stores.keys.damaged():
        report.damaged("keystore_damaged", f"key store: {where}")


def check_audit(stores: Stores, subjects: set[SubjectId], report: Report) -> None:
    """Rebuild the log from its raw entries, and open the entries of the subjects and the system's own."""
    ring = None
    try:
        ring = open_log_keys(stores, clock=lambda: int(time.time()))
    except LogKeysDamaged as damage:
        report.damaged("log_keys", f"audit log: {damage.detail}")
    except DocumentMalformed as damage:
        report.damaged(damage.code, "audit log: newest checkpoint")
    uses, budget, chains = LoggedUses(), LoggedLedger(), LoggedChains()

    def note(event: AuditEvent) -> None:
        uses.note(event)
        budget.note(event)
        chains.note(event)

    check = Fsck(
        store=MongoAuditStore(stores.database),
        origin=stores.origin,
        verifiers_at=None if ring is None else ring.verifiers_at,
        anchor=stores.anchor,
        keys=StoredAuditKeys(stores.keys),
        subjects=[None, *sorted(subjects)],
        read=note,
    )
    try:
        found = check.run()
    except DocumentMalformed as damage:
        report.damaged(damage.code, "audit log: head or checkpoint")
        return
    report.counts["log entries"] = found.entries
    report.counts["log entries opened"] = found.opened
    report.counts["checkpoints"] = found.checkpoints
    for finding in found.findings:
        report.damaged(finding.code, f"audit log {finding.where}")
    uses.check(stores, report)
    budget.check(stores, report)
    chains.check(stores, report)
