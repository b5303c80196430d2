"""A preview is the decision that will be made once the draft is on the chain: no more and no less."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.consent.decision import decide
from backend.consent.decision_types import Answer, DecisionInput, Segment
from backend.consent.prepared import prepare
from backend.consent.previewing import preview, with_draft
from backend.consent.terms import Grant, Kind
from backend.consent.typed_data import consent_id
from scripts.vectors import world as w
from tests.unit.consent.strategies import grants, questions, segments

SETTINGS = settings(max_examples=120)


@SETTINGS
@given(questions(), grants(), st.lists(segments, min_size=1, max_size=3))
def test_preview_is_the_decision_over_the_recorded_draft(
    request: DecisionInput, draft: Grant, several: list[Segment]
) -> None:
    recorded = w.ask(*request.evidence, w.final(draft))
    later = replace(request, evidence=recorded.evidence, final=recorded.final, head=recorded.head)
    for segment, (now, then) in zip(several, preview(request, draft, several), strict=True):
        assert now.answer is decide(replace(request, segment=segment)).answer
        assert then.answer is decide(replace(later, segment=segment)).answer


@SETTINGS
@given(questions(), grants(Kind.DENY), st.lists(segments, min_size=1, max_size=3))
def test_draft_of_a_deny_opens_nothing(request: DecisionInput, draft: Grant, several: list[Segment]) -> None:
    for now, then in preview(request, draft, several):
        assert then.answer is not Answer.PERMIT or now.answer is Answer.PERMIT


def test_draft_that_begins_later_is_shown_from_its_start_and_from_now_at_the_earliest() -> None:
    later = w.grant(not_before=w.NOW + 5)
    assert decide(with_draft(w.ask(), later)).answer is Answer.PERMIT
    assert with_draft(w.ask(), later).now == w.NOW + 5
    at_once = w.grant(not_before=0)
    assert decide(with_draft(w.ask(), at_once)).answer is Answer.PERMIT
    assert with_draft(w.ask(), at_once).now == w.NOW


def test_draft_that_supersedes_a_wider_consent_closes_what_only_that_one_opened() -> None:
    wide = w.final(w.grant(categories=w.categories("laboratory", "notes")))
    narrow = w.grant(label="narrow", supersedes=wide.prepared.consent_id)
    notes = w.segment("notes")
    ((now, then),) = preview(w.ask(wide), narrow, [notes])
    assert (now.answer, then.answer) == (Answer.PERMIT, Answer.NO_CONSENT)
    ((now, then),) = preview(w.ask(wide), narrow, [w.segment("laboratory")])
    assert (now.answer, then.answer) == (Answer.PERMIT, Answer.PERMIT)
    assert then.consent_ids == (consent_id(narrow),)


def test_draft_of_a_delegate_beyond_the_delegation_opens_nothing() -> None:
    mother = w.delegation(categories=w.categories("notes"))
    request = w.ask(w.final(mother))
    ((_, then),) = preview(request, w.grant(), [w.segment("laboratory")], (mother,))
    assert then.answer is Answer.NO_CONSENT


def test_draft_that_is_recorded_already_changes_nothing() -> None:
    request = w.ask(w.final(w.grant(), revocation_pending=True))
    assert with_draft(request, w.grant()) is request
    assert prepare(w.grant()).consent_id == request.evidence[0].prepared.consent_id
