"""Every decision of a day's log comes out the same when it is decided again, after the evidence changed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from backend.adapters.ledger.past import EventLedger
from backend.audit.access import AccessEntry
from backend.audit.entry import AuditEvent as Event
from backend.audit.entry import Outcome
from backend.consent.basis import Basis
from backend.consent.errors import EvidenceGone
from backend.consent.prepared import Prepared
from backend.consent.tables import load_tables
from backend.maintenance.audit_replay import kept_by
from backend.maintenance.stopped_log import StoppedLog
from backend.records.label_loading import tables_digest, tables_with_map
from backend.records.replaying import DECIDED, KeptInIndex, NotADecision, Replayer
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


def test_export_for_outside_holds_no_identity_and_meets_no_other_export(story: Story) -> None:
    where = ("--data-directory", story.data)

    def exported(*options: str) -> str:
        done = invoke("audit", "export", *options, *where)
        assert done.exit_code == 0, done.output
        return done.stdout

    plain, first, second = exported(), exported("--outside"), exported("--outside")
    events = [json.loads(line) for line in first.splitlines()]
    assert len(events) > 80
    for event in events:
        AuditEvent.model_validate(event)
    ids = identifiers(plain)
    assert {story.patient.subject, story.clinic.member_id, story.user_id} <= ids
    assert {story.clinic.client_id, story.patient.record_id, story.patient.wallet.address.lower()} <= ids
    tables = {value for event in events for value in details(event, "tables", "labels")}
    assert tables
    for name in story.names:  # as the FHIR search gives it: pseudonyms, no names
        assert name.lower() not in plain.lower(), name
    for shown in (first, second):
        for name in {*story.names, *ids, story.jti, story.fid} - tables:
            assert name.lower() not in shown.lower(), name
    assert identifiers(first) & identifiers(second) == tables
    for event in events:
        assert event["recorded"].endswith(":00:00.000+00:00")
        assert event["period"]["start"].endswith(":00:00.000+00:00")
        assert {"leafHash", "finalBlock", "headBlock", "queuePosition"}.isdisjoint(
            part["url"] for part in event["extension"][0]["extension"]
        )
    # One is still one: the clinic's reads of the patient stand together under one pair of pseudonyms.
    reads = [event for event in events if "record.read" in json.dumps(event["subtype"])]
    pairs = Counter((client(event), patient(event)) for event in reads)
    assert max(pairs.values()) >= 4
    one = exported("--outside", "--subject", story.neighbour.subject).splitlines()
    assert len({patient(json.loads(line)) for line in one}) == 1


def identifiers(text: str) -> set[str]:
    """Every string of 16 hex digits or more, in lower case."""
    return set(re.findall(r"(?:0x)?[0-9a-f]{16,}", text.lower()))


def details(event: dict[str, Any], *names: str) -> list[str]:
    found = []
    for part in event["extension"][0]["extension"]:
        if part["url"] == "detail" and part["extension"][0]["valueString"] in names:
            found.append(part["extension"][1]["valueString"])
    return found


def client(event: dict[str, Any]) -> str:
    return json.dumps(event["agent"][0]["who"])


def patient(event: dict[str, Any]) -> str:
    return next(one["what"]["identifier"]["value"] for one in event["entity"] if one["role"]["code"] == "1")


def affected(story: Story, *options: str, status: int = 0) -> dict[str, Any]:
    window = ("--from", "2026-01-01T00:00:00+00:00", "--to", "2100-01-01T00:00:00+00:00")
    done = invoke("audit", "affected", *window, *options, "--json", "--data-directory", story.data)
    assert done.exit_code == status, done.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_command_tells_whom_a_token_a_client_a_user_and_a_member_concern(story: Story) -> None:
    of_token = affected(story, "--token", story.jti)
    assert [one["subject"] for one in of_token["patients"]] == [story.patient.subject]
    assert of_token["patients"][0]["reads"] >= 4
    assert "laboratory" in of_token["patients"][0]["categories_read"]
    assert of_token["patients"][0]["records_listed"] == {story.patient.record_id: 1}
    assert [one["subject"] for one in of_token["refused"]] == [story.patient.subject]
    assert story.patient.record_number.upper() not in json.dumps(of_token)
    named = affected(story, "--client", story.clinic.client_id, "--with-record-numbers")
    assert {one["record_number"]: one["reads"] > 0 for one in named["patients"]} == {
        story.patient.record_number.upper(): True,
        story.neighbour.record_number.upper(): True,
    }
    of_member = affected(story, "--member", story.clinic.member_id)
    assert [one["subject"] for one in of_member["patients"]] == [one["subject"] for one in named["patients"]]
    by_name, by_id = (affected(story, "--user", user) for user in ("dr.nadja.okafor", story.user_id))
    assert by_name["patients"] == by_id["patients"]
    assert [one["reads"] for one in by_name["patients"]] == [1]
    shown = invoke(
        "audit", "affected", "--token", story.jti, "--from", "2026-01-01T00:00:00Z",
        "--to", "2100-01-01T00:00:00Z", "--with-record-numbers", "--data-directory", story.data,
    )  # fmt: skip
    assert f"record number {story.patient.record_number.upper()}" in shown.stdout
    assert "1 patients concerned" in shown.stdout
    where = ("--to", "2100-01-01T00:00:00Z", "--data-directory", str(story.data))
    for options, code in (
        (("--from", "2026-01-01T00:00:00Z"), "invalid_input"),
        (("--from", "2026-01-01T00:00:00Z", "--user", "nobody"), "not_found"),
        (("--from", "yesterday", "--token", "a"), "usage"),
    ):
        done = invoke("audit", "affected", *options, *where)
        assert (done.exit_code, code in done.stderr) == (2, True), done.output


def test_command_gives_everybody_a_new_audit_key(story: Story) -> None:
    done = invoke("keys", "rotate", "audit", "--json", "--data-directory", story.data)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["raised"] == 3  # two patients and the system
    assert invoke("audit", "fsck", "--data-directory", story.data).exit_code == 0


@dataclass(frozen=True, slots=True)
class Opened:
    """The stopped stores, and the decisions in their log."""

    stores: Stores
    log: StoppedLog
    entries: list[AccessEntry]
    replayer: Replayer

    def named(self, **members: Any) -> list[Event]:
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
            ledger=EventLedger(stores.events, stores.deployment),
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
    stores, events = opened.stores, EventLedger(opened.stores.events, opened.stores.deployment)
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


def _changed(event: Event, what: str) -> Event | None:
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

    def __init__(self, kept: KeptInIndex, *, consent: bool) -> None:
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
        ledger=EventLedger(opened.stores.events, opened.stores.deployment),
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
