"""``assent fsck``: every row, block, key and entry against what the chain says. Works on a stopped service,
also when the service itself refuses to start on what it finds."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.adapters.index.audit_store import MongoAuditStore
from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.audit.fsck import Fsck
from backend.audit.note import Ed25519Signer, Ed25519Verifier
from backend.maintenance.care_teams import check_care_teams
from backend.maintenance.chain_facts import read_chain
from backend.maintenance.consents import check_consents
from backend.maintenance.erasures import check_erasures, read_gone
from backend.maintenance.errors import NoDeployment
from backend.maintenance.records import RecordCheck
from backend.maintenance.report import Report
from backend.settings import Settings
from backend.stores import Stores
from backend.types import SubjectId


def require_deployment(settings: Settings) -> None:
    """Raise NoDeployment for a directory without one, which a check must not fill."""
    if not (Path(settings.data_directory) / "chain" / "deployment.json").exists():
        raise NoDeployment(str(settings.data_directory))


def check_everything(stores: Stores) -> Report:
    """Return what is damaged. Raises Unavailable errors where a store does not answer."""
    report = Report()
    facts = read_chain(stores)
    gone = read_gone(stores)
    RecordCheck(stores, facts, gone, report).run()
    check_consents(stores, facts, gone, report)
    check_erasures(stores, report)
    check_care_teams(stores, report)
    check_audit(stores, facts.subjects, report)
    return report


def check_audit(stores: Stores, subjects: set[SubjectId], report: Report) -> None:
    """Rebuild the log from its raw entries, and open the entries of the subjects and the system's own."""
    signer = Ed25519Signer(
        name=stores.origin,
        private_key=Ed25519PrivateKey.from_private_bytes(
            stores.keys.get_or_create("signing", "log/1").reveal()
        ),
    )
    found = Fsck(
        store=MongoAuditStore(stores.database),
        origin=stores.origin,
        verifiers=[Ed25519Verifier(signer.verifier_key)],
        anchor=stores.anchor,
        keys=StoredAuditKeys(stores.keys),
        subjects=[None, *sorted(subjects)],
    ).run()
    report.counts["log entries"] = found.entries
    report.counts["log entries opened"] = found.opened
    report.counts["checkpoints"] = found.checkpoints
    for finding in found.findings:
        report.damaged(finding.code, f"audit log {finding.where}")
