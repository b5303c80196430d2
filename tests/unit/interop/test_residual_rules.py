"""Residual rules release nothing that the decision would not, read as docs/access_tokens.md says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from backend.consent.areas import permitted_areas
from backend.consent.decision import decide
from backend.consent.decision_types import Answer, DecisionInput, Segment
from backend.consent.terms import UNBOUNDED, Kind, Rule
from backend.errors import LedgerUnavailable
from backend.identity.bound_claims import bound_of, extensions
from backend.identity.roles import Role, Scope
from backend.identity.types import Bound, Grant, PrincipalKind
from backend.interop.consent_tokens.residual import NORMAL, rules_of
from backend.interop.fhir_consent import codes
from backend.types import UnixSeconds
from scripts.vectors import world as w
from tests.unit.consent.strategies import questions, segments

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "access_tokens.md").read_text()
MH, HIV = w.sensitivities("MH"), w.sensitivities("HIV")
LABORATORY, MEDICATIONS, NOTES = (w.categories(code) for code in ("laboratory", "medications", "notes"))


def documented() -> Any:
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], names)
    return names["released"]


RELEASED = documented()


def released(rules: list[dict[str, Any]], segment: Segment) -> bool:
    """What a server outside makes of the rules, about data like the segment."""

    def pairs(codings: list[dict[str, str]]) -> set[tuple[str, str]]:
        return {(one["system"], one["code"]) for one in codings}

    labels = codes.labels(w.TABLES.sensitivities, segment.sensitivities) or [NORMAL]
    start = datetime.fromtimestamp(segment.data_from, UTC)
    end = None if segment.data_to == UNBOUNDED else datetime.fromtimestamp(segment.data_to - 1, UTC)
    classes = pairs(codes.categories(w.TABLES.categories, segment.categories))
    return bool(RELEASED(rules, classes, pairs(labels), start, end))


def rules(request: DecisionInput) -> list[dict[str, Any]]:
    found = rules_of(permitted_areas(request), w.TABLES)
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


@settings(max_examples=200)
@given(questions(), segments)
def test_rules_release_only_what_the_decision_permits(request: DecisionInput, segment: Segment) -> None:
    if released(rules(request), segment):
        assert decide(replace(request, segment=segment)).answer is Answer.PERMIT


@settings(max_examples=50)
@given(questions(), segments)
def test_rules_that_rest_on_some_consents_release_no_more(request: DecisionInput, segment: Segment) -> None:
    areas = permitted_areas(request)
    some = frozenset(sorted(area.consent for area in areas)[:1])
    narrower = permitted_areas(request, only=some)
    assert {area.consent for area in narrower} <= some
    if released(rules_of(narrower, w.TABLES), segment):
        assert released(rules_of(areas, w.TABLES), segment)


def test_plain_permit_is_one_rule_that_releases_all_of_it() -> None:
    request = w.ask(w.final(w.grant(sensitivities=MH)))
    forbid, permit = rules(request)
    assert forbid == {"type": "forbid"}
    assert [one["code"] for one in permit["class"]] == ["medications", "laboratory"]
    assert [one["code"] for one in permit["securityLabel"]] == ["N", "MH"]
    assert "dataPeriod" not in permit
    whole = Segment(LABORATORY | MEDICATIONS, MH)
    assert released([forbid, permit], whole)
    assert not released([forbid, permit], replace(whole, sensitivities=MH | HIV))
    assert not released([forbid, permit], replace(whole, categories=NOTES))


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        (Rule(False, sensitivities=MH), Segment(LABORATORY, HIV), Segment(LABORATORY, MH)),
        (Rule(False, sensitivities=MH), Segment(LABORATORY, 0), Segment(LABORATORY, MH | HIV)),
        (Rule(False, categories=LABORATORY), Segment(MEDICATIONS, MH), Segment(LABORATORY, 0)),
        (
            Rule(False, data_from=w.DATA_TIME),
            Segment(LABORATORY, MH, UnixSeconds(0), w.DATA_TIME),
            Segment(LABORATORY, MH, w.DATA_TIME, UnixSeconds(w.DATA_TIME + 1)),
        ),
        (Rule(False, grantees=(w.UNIVERSITY,)), Segment(LABORATORY, MH), Segment(NOTES, 0)),
    ],
    ids=["label", "one of two labels", "category", "period", "somebody else's"],
)
def test_rule_inside_a_permit_cuts_what_it_forbids_and_no_more(
    rule: Rule, inside: Segment, outside: Segment
) -> None:
    found = rules(w.ask(w.final(w.grant(Kind.PERMIT, rule, sensitivities=MH | HIV))))
    assert released(found, inside)
    assert not released(found, outside)


def test_rule_about_one_record_takes_out_all_that_could_be_it() -> None:
    rule = Rule(False, categories=LABORATORY, references=(w.salt("record one"),))
    found = rules(w.ask(w.final(w.grant(Kind.PERMIT, rule))))
    assert not released(found, Segment(LABORATORY, 0))
    assert released(found, Segment(MEDICATIONS, 0))


def test_condition_on_one_record_takes_out_all_that_could_be_it() -> None:
    bound = Rule(True, categories=LABORATORY, references=(w.salt("record one"),), obligations=1)
    found = rules(w.ask(w.final(w.grant(Kind.PERMIT, bound))))
    assert not released(found, Segment(LABORATORY, 0))
    assert released(found, Segment(MEDICATIONS, 0))


def test_consents_that_ended_take_no_place_from_those_that_count() -> None:
    ended = [w.final(w.grant(label=str(number), not_after=w.START + 1)) for number in range(60)]
    assert permitted_areas(w.ask(w.final(w.grant(label="now")), *ended))


def test_rules_tell_nothing_of_others_whom_the_patient_named() -> None:
    plain = w.ask(w.final(w.grant()))
    rule = Rule(False, sensitivities=MH, grantees=(w.UNIVERSITY,))
    named = w.grant(grantee=w.UNIVERSITY, categories=NOTES, label="other")
    other = w.ask(w.final(w.grant(Kind.PERMIT, rule)), w.final(named))
    assert rules(other) == rules(plain)


def test_deny_of_everyone_leaves_only_what_it_does_not_touch() -> None:
    deny = w.grant(Kind.DENY, categories=LABORATORY, label="deny")
    found = rules(w.ask(w.final(w.grant()), w.received(deny)))
    assert released(found, Segment(MEDICATIONS, 0))
    assert not released(found, Segment(LABORATORY, 0))
    assert permitted_areas(w.ask(w.final(w.grant()), w.received(w.grant(Kind.DENY)))) == ()


def test_areas_while_the_chain_is_stale_are_not_none_but_unknown() -> None:
    with pytest.raises(LedgerUnavailable):
        permitted_areas(w.ask(w.final(w.grant()), stale=True))


def test_rules_that_do_not_fit_are_left_out_and_never_widen() -> None:
    split = [Rule(False, categories=LABORATORY, sensitivities=MH)]
    areas = permitted_areas(w.ask(w.final(w.grant(Kind.PERMIT, *split, sensitivities=MH))))
    whole = rules_of(areas, w.TABLES)
    assert len(whole) == 3
    cut = rules_of(areas, w.TABLES, max_characters=len(json.dumps(whole[1])))
    assert cut == whole[:2]
    assert rules_of(areas, w.TABLES, max_characters=10) == [{"type": "forbid"}]


def test_reader_takes_deny_as_forbid_and_leaves_out_a_permit_it_does_not_understand() -> None:
    (_, permit) = rules(w.ask(w.final(w.grant())))
    data = Segment(LABORATORY, 0)
    assert released([{"type": "deny"}, permit], data)
    assert not released([{"type": "deny"}], data)
    assert not released([{"type": "forbid"}, permit | {"data": []}], data)


def _example() -> dict[str, Any]:
    year = (UnixSeconds(1_767_225_600), UnixSeconds(1_767_225_600 + int(timedelta(days=365).total_seconds())))
    grant = w.grant(sensitivities=MH, data_from=year[0], data_to=year[1])
    areas = permitted_areas(w.ask(w.final(grant)))
    holder = Grant(
        kind=PrincipalKind.CLIENT,
        id="0" * 32,
        roles=frozenset({Role.PROVIDER}),
        scopes=frozenset({Scope.RECORD_READ}),
        member_id=w.CLINIC,
    )
    bound = Bound(w.SUBJECT, "TREAT", frozenset(area.consent for area in areas))
    claim = extensions(holder, bound, rules_of(areas, w.TABLES))
    assert bound_of(claim) == bound
    return claim


def test_example_in_the_page_is_what_a_token_says() -> None:
    (text,) = re.findall(r"<!-- example -->\n```json\n(.*?)```", PAGE, re.DOTALL)
    assert json.loads(text) == _example()


@pytest.mark.parametrize(
    ("ruled", "each", "both"),
    [
        (
            [Rule(False, categories=LABORATORY), *(Rule(True, sensitivities=label) for label in (MH, HIV))],
            [Segment(LABORATORY, MH)],
            Segment(LABORATORY, MH | HIV),
        ),
        (
            [
                Rule(False, sensitivities=MH),
                *(Rule(True, categories=one, sensitivities=MH) for one in (LABORATORY, MEDICATIONS)),
            ],
            [Segment(LABORATORY, MH), Segment(MEDICATIONS, MH)],
            Segment(LABORATORY | MEDICATIONS, MH),
        ),
    ],
    ids=["labels", "categories"],
)
def test_parts_that_are_permitted_only_apart_are_not_released_together(
    ruled: list[Rule], each: list[Segment], both: Segment
) -> None:
    request = w.ask(w.final(w.grant(Kind.PERMIT, *ruled, sensitivities=MH | HIV)))
    found = rules(request)
    assert all(released(found, segment) for segment in each)
    assert decide(replace(request, segment=both)).answer is not Answer.PERMIT
    assert not released(found, both)
