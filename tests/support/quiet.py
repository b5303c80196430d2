"""The town with nothing running beside the requests: what it answers, and what ``fsck`` says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backend.maintenance.care_teams import check_care_teams
from backend.maintenance.chain_facts import ChainFacts
from backend.maintenance.consents import check_consents
from backend.maintenance.documents import check_documents
from backend.maintenance.erasures import Gone
from backend.maintenance.fsck import check_audit
from backend.maintenance.records import RecordCheck
from backend.maintenance.report import Report
from backend.stores import Stores
from tests.support.answers import Answer, Questions
from tests.support.tampering import Contents
from tests.support.town import Town

PARTS: Mapping[str, Callable[[Stores, ChainFacts, Report], None]] = {
    "records": lambda stores, facts, report: RecordCheck(stores, facts, Gone(), report).run(),
    "consents": lambda stores, facts, report: check_consents(stores, facts, Gone(), report),
    "care teams": lambda stores, facts, report: check_care_teams(stores, report),
    "documents": lambda stores, facts, report: check_documents(stores, report),
    "audit": lambda stores, facts, report: check_audit(stores, facts.subjects, report),
    "log and uses": lambda stores, facts, report: check_audit(stores, facts.subjects, report),
}
AUDIT = ("audit_bodies", "audit_bundles", "audit_checkpoints", "audit_log_keys", "audit_state")


@dataclass(slots=True)
class Quiet:
    """The town with nothing running beside the requests and nothing remembered, and what it answered then."""

    town: Town
    questions: Questions
    before: dict[str, Answer]
    documents: Contents
    facts: ChainFacts
    log: Stores  # with a copy of the log, as nobody writes it

    @property
    def stores(self) -> Stores:
        return self.town.service.world.stores

    def named(self, part: str) -> list[str]:
        """What a part of ``fsck`` says now."""
        report = Report()
        if part:
            PARTS[part](self.log if part == "audit" else self.stores, self.facts, report)
        assert all(finding.code for finding in report.damage)
        return [finding.where for finding in report.damage]

    def judge(self, asked: tuple[str, ...]) -> tuple[bool, list[str]]:
        """Whether all is answered as before or refused; and what nobody may ever be answered."""
        differs, wrong = False, []
        for name, now in self.questions.ask(*asked).items() if asked else ():
            before = self.before[name]
            if now == before:
                continue
            if not now.given:
                if now.status == 500 or not now.code:
                    wrong.append(f"{name}: {now.status} {now.code} is no stable refusal")
            elif not before.given:
                wrong.append(f"{name}: refused before, {now.status} now")
            elif now.parts is not None and not (now.parts.items() <= (before.parts or {}).items()):
                wrong.append(f"{name}: other content was released")
            else:
                differs = True
        return differs, wrong
