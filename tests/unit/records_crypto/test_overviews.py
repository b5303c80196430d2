"""Who can see what now: every cell is the decision of a read; nobody is told of more than they may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from backend.consent.deciding import Question
from backend.consent.decision import decide_many
from backend.consent.decision_types import Decision, DecisionInput, Evidence, Requester, Segment, Team
from backend.consent.terms import Kind, Power, Rule
from backend.records import overviews
from backend.records.blocks import BlobAddress
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.overviews import Cell, Overview, OverviewService, Row
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.types import MemberId, RecordId, UnixSeconds
from scripts.vectors import world as w

LAB, HIV, NOTES = RecordId(b"l" * 16), RecordId(b"h" * 16), RecordId(b"n" * 16)
PATIENT = Requester(account=w.PATIENT)
TEAM = MemberId(b"t" * 32)
STUDY = MemberId(b"s" * 32)


def _manifest(
    record: RecordId, category: str, *sensitive: str, media_type: str = FHIR_MEDIA_TYPE
) -> Manifest:
    part = SegmentManifest(
        *("s0000", category, 1, w.categories(category), w.sensitivities(*sensitive)),
        *(w.DATA_TIME, UnixSeconds(w.DATA_TIME + 1), media_type, 1, 1, b"", b""),
        address=BlobAddress(b"", (), 0),  # type: ignore[arg-type]
    )
    return Manifest(record, 1, w.SUBJECT, w.HOSPITAL, "attachment", w.START, b"", (part,))


STORED = (
    _manifest(LAB, "laboratory"),
    _manifest(HIV, "laboratory", "HIV"),
    _manifest(NOTES, "notes", media_type="text/plain"),
)


class Decisions:
    """The decision over the evidence given. Everybody but the study is a member in standing."""

    def __init__(self, *evidence: Evidence) -> None:
        self._evidence = evidence

    def gather(self, question: Question, segment: Segment) -> DecisionInput:
        members = w.members(*(one for one in question.requester.members if one != STUDY))
        asked = w.ask(
            *self._evidence,
            requester=question.requester,
            purpose=question.purpose,
            members_final=members,
            members_head=members,
        )
        return replace(asked, action=question.action, segment=segment, fulfils=question.fulfils)

    def decide(self, question: Question, segments: Sequence[Segment]) -> tuple[Decision, ...]:
        return decide_many(self.gather(question, segments[0]), segments)


def _reader(grantee: MemberId) -> Requester:
    return Requester(teams=(Team(TEAM, w.HOSPITAL),)) if grantee == TEAM else Requester(grantee)


def overview(
    *evidence: Evidence,
    caller: Requester = PATIENT,
    stored: Sequence[Manifest] = STORED,
    offset: int = 0,
) -> Overview:
    class Manifests:
        def of_subject(self, _: object) -> Sequence[Manifest]:
            return stored

    service = OverviewService(
        manifests=Manifests(),  # type: ignore[arg-type]
        decisions=Decisions(*evidence),  # type: ignore[arg-type]
        reader_of=_reader,
        categories=w.TABLES.categories.all_bits,
        access=w.actions("access"),
    )
    return service.overview(w.SUBJECT, caller=caller, offset=offset)


def cell(row: Row, category: str) -> Cell | None:
    (found,) = [one for one in row.cells if one.category == w.categories(category)] or [None]
    return found


def only(found: Overview) -> Row:
    (row,) = found.rows
    return row


def test_cell_counts_what_is_open_what_there_is_and_what_would_be_open() -> None:
    permit = w.final(w.grant())
    row = only(overview(permit))
    consents = (permit.prepared.consent_id,)
    lab, medicine, notes = (w.categories(code) for code in ("laboratory", "medications", "notes"))
    assert (row.grantee, row.is_team, row.purpose) == (w.CLINIC, False, w.purposes("TREAT"))
    assert set(row.cells) == {
        Cell(lab, open=1, of=2, covers_future=True, until=w.END, consents=consents),
        Cell(medicine, open=0, of=0, covers_future=True, until=w.END, consents=consents),
        Cell(notes, open=0, of=1, covers_future=False, until=None, consents=()),
    }
    assert row.hidden == 2


def test_without_a_live_permit_nobody_has_a_row() -> None:
    ended = w.final(w.grant())
    for evidence in (
        [],
        [w.final(w.grant(kind=Kind.REFUSAL))],
        [w.at_head(w.grant())],
        [replace(ended, revocation_pending=True)],
        [w.final(w.grant(not_after=w.NOW))],
    ):
        assert overview(*evidence).rows == ()


def test_deny_closes_every_row_from_its_receipt_and_is_listed() -> None:
    permit, deny = w.grant(), w.grant(Kind.DENY, categories=w.categories("laboratory"))
    found = overview(w.final(permit), w.received(deny))
    lab = cell(only(found), "laboratory")
    assert lab is not None
    assert (lab.open, lab.of, lab.covers_future, lab.consents) == (0, 2, False, ())
    assert [one.deny for one in found.denies] == [deny]
    assert overview(w.final(permit), w.final(replace(deny, not_after=w.NOW))).denies == ()


def test_cell_ends_with_the_first_of_the_consents_that_settle_it_or_its_erasure() -> None:
    later = w.grant(label="later", not_after=UnixSeconds(w.END + 5))
    sooner = w.grant(label="sooner", erase_by=UnixSeconds(w.NOW + 7))
    lab = cell(only(overview(w.final(later), w.final(sooner))), "laboratory")
    assert lab is not None
    assert lab.until == w.NOW + 7
    assert len(lab.consents) == 2


def test_rule_about_sensitive_data_opens_it_now_without_saying_more_about_the_future() -> None:
    wide = w.grant(sensitivities=w.sensitivities("HIV"))
    lab = cell(only(overview(w.final(wide))), "laboratory")
    assert lab is not None
    assert (lab.open, lab.covers_future) == (2, True)
    never_old = w.grant(data_from=UnixSeconds(w.DATA_TIME + 10))
    lab = cell(only(overview(w.final(never_old))), "laboratory")
    assert lab is not None
    assert (lab.open, lab.covers_future) == (0, True)


def test_condition_that_keeps_a_document_back_closes_it() -> None:
    rule = Rule(permit=True, obligations=w.obligations("de_identify"))
    permit = w.grant(Kind.PERMIT, rule, categories=w.categories("laboratory", "notes"))
    row = only(overview(w.final(permit)))
    lab, notes = cell(row, "laboratory"), cell(row, "notes")  # of text nothing can be taken out
    assert lab is not None
    assert notes is not None
    assert (lab.open, notes.open) == (1, 0)


def test_each_purpose_and_each_grantee_has_a_row_in_a_fixed_order() -> None:
    both = w.grant(purposes=w.purposes("TREAT", "HPAYMT"))
    team = w.grant(label="team", grantee=TEAM)
    found = overview(w.final(both), w.final(team))
    keys = [(row.grantee, row.purpose) for row in found.rows]
    assert keys == sorted(keys)
    assert {(row.grantee, row.is_team) for row in found.rows} == {(w.CLINIC, False), (TEAM, True)}
    assert len(found.rows) == 3
    assert next(row for row in found.rows if row.is_team).hidden == 2


def test_breaking_the_glass_and_studies_have_no_row() -> None:
    glass = w.grant(purposes=w.purposes("TREAT", "BTG"))
    study = w.grant(label="study", grantee=STUDY)
    row = only(overview(w.final(glass), w.final(study)))
    assert (row.grantee, row.purpose) == (w.CLINIC, w.purposes("TREAT"))


@pytest.mark.parametrize(
    ("powers", "categories", "of", "hidden"),
    [
        (Power.GRANT, ("laboratory", "notes"), {}, 0),  # may grant, and may not learn what there is
        (Power.GRANT | Power.READ, ("laboratory",), {"laboratory": 1}, 0),
        (Power.GRANT | Power.READ, ("laboratory", "notes"), {"laboratory": 1, "notes": 1}, 1),
    ],
)
def test_delegate_is_told_of_no_more_than_a_delegate_may_read(
    powers: Power, categories: tuple[str, ...], of: dict[str, int], hidden: int
) -> None:
    given = w.delegation(powers=int(powers), categories=w.categories(*categories))
    row = only(overview(w.final(w.grant()), w.final(given), caller=Requester(account=w.MOTHER)))
    assert {one.category: one.of for one in row.cells if one.of} == {
        w.categories(code): count for code, count in of.items()
    }
    assert row.hidden == hidden


def test_patient_without_records_sees_what_would_be_open() -> None:
    lab = cell(only(overview(w.final(w.grant()), stored=())), "laboratory")
    assert lab is not None
    assert (lab.open, lab.of, lab.covers_future) == (0, 0, True)


def test_pages_follow_each_other_and_bound_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = [w.final(w.grant(purposes=w.purposes("TREAT", "HPAYMT", "HOPERAT")))]
    whole = overview(*evidence)
    assert (len(whole.rows), whole.next_offset) == (3, None)
    for name, value in (("MAX_ROWS", 2), ("MAX_DECISIONS", 2 * (3 + len(w.TABLES.categories.bits)))):
        with monkeypatch.context() as patch:
            patch.setattr(overviews, name, value)
            first = overview(*evidence)
            assert (len(first.rows), first.next_offset) == (2, 2)
            second = overview(*evidence, offset=2)
            assert (first.rows + second.rows, second.next_offset) == (whole.rows, None)
    monkeypatch.setattr(overviews, "MAX_DECISIONS", 1)
    assert len(overview(*evidence).rows) == 1
    assert overview(*evidence, offset=9).rows == ()


def test_overview_says_what_it_was_decided_on() -> None:
    found: Any = overview()
    assert (found.now, found.final_block, found.head_block, found.queue_position) == (w.NOW, 100, 102, 5)
