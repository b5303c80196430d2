"""A preview names only records that whoever previews may read themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from backend.audit import codes
from backend.audit.access import AccessEntry, AccessPage
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.consent.deciding import Question
from backend.consent.decision import decide_many
from backend.consent.decision_types import Decision, DecisionInput, Evidence, Requester, Segment
from backend.consent.terms import Power
from backend.records.blocks import BlobAddress
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.previews import Draft, Preview, PreviewService, Viewer
from backend.types import LogIndex, RecordId, UnixSeconds
from scripts.vectors import world as w

LAB, NOTES = RecordId(b"l" * 16), RecordId(b"n" * 16)
CLINIC = Viewer(Requester(w.CLINIC), {"TREAT": w.purposes("TREAT")}, w.actions("access"))


def _manifest(record: RecordId, category: str) -> Manifest:
    part = SegmentManifest(
        *("s0000", category, 1, w.categories(category), 0, w.DATA_TIME, UnixSeconds(w.DATA_TIME + 1)),
        *("text/plain", 1, 1, b"", b""),
        address=BlobAddress(b"", (), 0),  # type: ignore[arg-type]
    )
    return Manifest(record, 1, w.SUBJECT, w.HOSPITAL, "attachment", w.START, b"", (part,))


class Decisions:
    """The decision over the evidence given."""

    def __init__(self, *evidence: Evidence) -> None:
        self._evidence = evidence

    def gather(self, question: Question, segment: Segment) -> DecisionInput:
        asked = w.ask(*self._evidence, requester=question.requester, purpose=question.purpose)
        return replace(asked, action=question.action, segment=segment)

    def decide(self, question: Question, segments: Sequence[Segment]) -> tuple[Decision, ...]:
        return decide_many(self.gather(question, segments[0]), segments)


class Accesses:
    """Refused attempts of the clinic, at the moments given (seconds), newest first; then one of another."""

    def __init__(self, *moments: int) -> None:
        self._entries = [self._entry(at, w.CLINIC) for at in moments] + [self._entry(w.NOW, w.HOSPITAL)]

    def _entry(self, at: int, organisation: Any) -> AccessEntry:
        event = AuditEvent(
            type=codes.RECORD_READ,
            outcome=Outcome.DENIED,
            occurred_at_ms=at * 1000,
            actor=Agent.member(organisation),
            organisation=organisation,
            subject=w.SUBJECT,
            purpose="TREAT",
            records=(LAB,),
        )
        return AccessEntry(LogIndex(0), 0, 0, at * 1000, b"", event)

    def page(self, *_: object, **__: object) -> AccessPage:
        return AccessPage(tuple(self._entries), None, len(self._entries))


def _preview(caller: Requester, *evidence: Evidence, moments: tuple[int, ...] = ()) -> Preview:
    class Manifests:
        def of_subject(self, _: object) -> list[Manifest]:
            return [_manifest(LAB, "laboratory"), _manifest(NOTES, "notes")]

    service = PreviewService(
        manifests=Manifests(),  # type: ignore[arg-type]
        decisions=Decisions(*evidence),  # type: ignore[arg-type]
        accesses=Accesses(*moments),  # type: ignore[arg-type]
    )
    draft = Draft(w.grant())
    since = UnixSeconds(w.NOW - 100)
    return service.preview(w.SUBJECT, draft, CLINIC, caller=caller, since=since)


def test_patient_sees_what_opens_and_what_stays_hidden() -> None:
    found = _preview(Requester(account=w.PATIENT))
    assert (found.records_now, found.records_then, found.opened) == ((), (LAB,), (LAB,))
    assert found.records_hidden == (NOTES,)
    assert found.categories.then == {w.categories("laboratory"): 1}
    assert found.categories.hidden == {w.categories("notes"): 1}


@pytest.mark.parametrize(
    ("powers", "categories", "opened", "hidden"),
    [
        (Power.GRANT, ("laboratory", "notes"), (), ()),  # may grant, and may not learn what there is
        (Power.GRANT | Power.READ, ("laboratory",), (LAB,), ()),
        (Power.GRANT | Power.READ, ("laboratory", "notes"), (LAB,), (NOTES,)),
    ],
)
def test_delegate_sees_no_more_than_a_delegate_may_read(
    powers: Power, categories: tuple[str, ...], opened: tuple[RecordId, ...], hidden: tuple[RecordId, ...]
) -> None:
    given = w.delegation(powers=int(powers), categories=w.categories(*categories))
    found = _preview(Requester(account=w.MOTHER), w.final(given))
    assert (found.opened, found.records_hidden) == (opened, hidden)


def test_refused_attempts_of_the_reader_in_the_period_are_counted() -> None:
    found = _preview(Requester(account=w.PATIENT), moments=(w.NOW, w.NOW - 100))
    assert (found.attempts, found.answered) == (2, 2)
    older = _preview(Requester(account=w.PATIENT), moments=(w.NOW, w.NOW - 101))
    assert (older.attempts, older.answered) == (1, 1)
