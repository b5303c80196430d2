"""Every decision of a day's log comes out the same when it is decided again, after the evidence changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from backend.adapters.ledger.past import EventLedger
from backend.audit.access import AccessEntry
from backend.audit.entry import AuditEvent, Outcome
from backend.consent.basis import Basis
from backend.consent.errors import EvidenceGone
from backend.consent.prepared import Prepared
from backend.consent.tables import load_tables
from backend.maintenance.audit_replay import StoredEvidence, kept_by
from backend.maintenance.stopped_log import StoppedLog
from backend.records.label_loading import tables_digest, tables_with_map
from backend.records.replaying import DECIDED, NotADecision, Replayer
from backend.settings import Settings
from backend.stores import Stores, open_stores
from backend.types import BlockNumber, ConsentId, MemberId, SubjectId
from tests.integration.test_cli import invoke
from tests.support.replay_story import Story, tell


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return tell(tmp_path_factory.mktemp("replay"))


def replayed(story: Story, entry: int, *, status: int) -> dict[str, Any]:
    done = invoke("audit", "replay", str(entry), "--json", "--data-directory", story.data)
    assert done.exit_code == status, done.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_command_replays_shows_both_and_says_so_in_the_log(story: Story) -> None:
    indexes = [entry["index"] for entry in reversed(story.accesses) if entry["type"] == "record.read"]
    refused, permitted = (replayed(story, index, status=0) for index in indexes[:2])
    assert (refused["said"]["outcome"], permitted["said"]["outcome"]) == ("denied", "permitted")
    for found in (refused, permitted):
        assert found["same"]
        assert found["said"] == found["again"]
    assert len(permitted["parts"]) >= len(permitted["said"]["segments"]) > 0
    assert permitted["parts"][0]["explanation"][0]["text"]
    shown = invoke("audit", "replay", str(indexes[1]), "--data-directory", story.data)
    assert shown.exit_code == 0
    assert "the same decision" in shown.stdout
    assert "It allows this." in shown.stdout
    exported = invoke("audit", "export", "--data-directory", story.data).stdout.splitlines()
    assert sum('"audit-replay"' in line and story.patient.subject in line for line in exported) == 3
    other = next(entry["index"] for entry in story.accesses if entry["type"] == "consent.granted")
    for entry, code in ((other, "entry_not_a_decision"), (10**9, "audit_entry_unknown")):
        done = invoke("audit", "replay", str(entry), "--data-directory", story.data)
        assert (done.exit_code, code in done.stderr) == (2, True), done.output


@dataclass(frozen=True, slots=True)
class Opened:
    """The stopped stores, and the decisions in their log."""

    stores: Stores
    log: StoppedLog
    entries: list[AccessEntry]
    replayer: Replayer

    def named(self, **members: Any) -> list[AuditEvent]:
        events = [entry.event for entry in self.entries if entry.event is not None]
        return [
            event for event in events if all(getattr(event, name) == value for name, value in members.items())
        ]


@pytest.fixture(scope="module")
def opened(story: Story) -> Iterator[Opened]:
    stores = open_stores(Settings(data_directory=story.data))
    with closing(stores.closing), closing(StoppedLog(stores, reader="audit-replay")) as log:
        found = log.search.scan(
            None,
            log.search.span(),
            newest_first=False,
            keep=lambda entry: entry.event is not None and entry.event.type in DECIDED,
            limit=1000,
            most=100_000,
        )
        assert found.damaged == ()
        tables = load_tables()
        replayer = Replayer(
            kept=kept_by(stores),
            ledger=EventLedger(stores.events),
            tables=tables,
            digest=tables_digest(tables, tables_with_map(None)),
        )
        yield Opened(stores, log, list(found.entries), replayer)


def test_every_decision_of_the_day_comes_out_as_its_entry_says(opened: Opened) -> None:
    again = [opened.replayer.replay(event) for event in opened.named()]
    assert {index: each.differing for index, each in enumerate(again) if each.differing} == {}
    assert all(each.same_tables for each in again)
    outcomes = [each.event.outcome for each in again]
    assert outcomes.count(Outcome.PERMITTED) >= 10
    assert outcomes.count(Outcome.DENIED) >= 10
    reasons = {reason for each in again for reason in each.event.reasons}
    assert {
        "permitted", "denied", "no_permit", "own_records", "delegated_reading", "requester_not_in_standing",
    } <= reasons  # fmt: skip
    findings = {
        finding.reason.value
        for each in again
        for part in each.parts
        for finding in part.explanation.decision.findings
    }
    # Nothing but the entry can tell these afterwards.
    assert {
        "revocation_pending",
        "uses_exhausted",
        "frequency_exhausted",
        "grantee_not_in_standing",
    } <= findings
    assert any(each.said["teams"] for each in again)
    assert any(each.said["withheld"] for each in again) or any(each.said["obligations"] for each in again)
    assert any(Basis.decode(each.event.basis).unrecorded for each in again)


def test_past_facts_from_events_are_those_the_contracts_answer(opened: Opened) -> None:
    """At the head, where the node still has the state."""
    stores, events = opened.stores, EventLedger(opened.stores.events)
    head = stores.ledger.view().head_number
    subjects = {event.subject for event in opened.named() if event.subject}
    members = [MemberId(stores.tenant), MemberId(b"\x01" * 32)]
    for subject in sorted(subjects):
        names = tuple(kept_by(stores).documents(subject))
        assert names
        expected = stores.ledger.facts(subject, names, members, block=head)
        assert events.facts(subject, names, members, block=head) == expected
    unknown = SubjectId(77)
    assert events.facts(unknown, (), (), block=head) == stores.ledger.facts(unknown, (), (), block=head)
    assert not events.facts(min(subjects), (), (), block=BlockNumber(0)).subject.opened


@pytest.mark.parametrize(
    "what", ["outcome", "ending", "uses", "unrecorded", "final_block", "consents", "obligations"]
)
def test_entry_that_says_something_else_is_found(opened: Opened, what: str) -> None:
    """Change one thing in an entry, as a service that lied would have."""
    for event in opened.named():
        changed = _changed(event, what)
        if changed is not None and opened.replayer.replay(changed).differing:
            return
    pytest.fail(f"no change of {what} is seen")


def _changed(event: AuditEvent, what: str) -> AuditEvent | None:
    basis = Basis.decode(event.basis)
    if what == "outcome" and event.outcome is Outcome.DENIED:
        return replace(event, outcome=Outcome.PERMITTED)
    if what == "ending" and basis.ending:
        return replace(event, basis=replace(basis, ending=()).encode())
    if what == "uses" and basis.uses and event.outcome is Outcome.DENIED:
        return replace(event, basis=replace(basis, uses=()).encode())
    if what == "unrecorded" and basis.unrecorded:
        return replace(event, basis=replace(basis, unrecorded=()).encode())
    if what == "final_block" and event.outcome is Outcome.PERMITTED and event.consents:
        return replace(event, final_block=BlockNumber(2), head_block=BlockNumber(2), reasons=event.reasons)
    if what == "consents" and event.consents:
        return replace(event, consents=(ConsentId(b"\x01" * 32),))
    if what == "obligations" and event.obligations:
        return replace(event, obligations=0)
    return None


class _Missing:
    """Evidence of which one document or record is gone."""

    def __init__(self, kept: StoredEvidence, *, consent: bool) -> None:
        self._kept = kept
        self._consent = consent

    def documents(self, subject: SubjectId) -> Mapping[ConsentId, Prepared]:
        found = dict(self._kept.documents(subject))
        if self._consent:
            found.popitem()
        return found

    def manifest(self, record_id: Any, version: int) -> Any:
        if not self._consent:
            raise EvidenceGone("gone")
        return self._kept.manifest(record_id, version)


@pytest.mark.parametrize("consent", [True, False])
def test_evidence_that_is_gone_is_named_and_nothing_is_guessed(opened: Opened, consent: bool) -> None:
    tables = load_tables()
    replayer = Replayer(
        kept=_Missing(kept_by(opened.stores), consent=consent),
        ledger=EventLedger(opened.stores.events),
        tables=tables,
        digest="",
    )
    last = [event for event in opened.named() if event.records][-1]
    with pytest.raises(EvidenceGone):
        replayer.replay(last)


def test_entry_of_an_older_release_says_that_it_keeps_too_little(opened: Opened) -> None:
    with pytest.raises(EvidenceGone, match="does not keep"):
        opened.replayer.replay(replace(opened.named()[-1], basis=b""))


def test_entry_of_something_else_is_no_decision(opened: Opened) -> None:
    event = opened.named()[-1]
    with pytest.raises(NotADecision):
        opened.replayer.replay(replace(event, type="consent.granted"))
    with pytest.raises(NotADecision):
        opened.replayer.replay(replace(event, outcome=Outcome.UNAVAILABLE))


def test_teams_that_no_consent_names_are_not_in_the_patients_entry(opened: Opened) -> None:
    bases = [Basis.decode(event.basis) for event in opened.named()]
    assert max(len(basis.requester.teams) for basis in bases) == 1  # the physician is in two
