"""A permit whose rules take each other away is refused before anybody signs it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.consent.contradiction import check_consistent
from backend.consent.decision import decide
from backend.consent.decision_types import Answer
from backend.consent.errors import RulesContradict
from backend.consent.terms import Kind, Rule
from scripts.vectors import world as w

LAB, MEDICINES = w.categories("laboratory"), w.categories("medications")
NO_LAB = Rule(permit=False, categories=LAB)


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ((Rule(permit=True, categories=LAB), NO_LAB), "terms.rules[0]"),
        ((NO_LAB, Rule(permit=True, categories=LAB, data_from=w.DATA_TIME)), "terms.rules[1]"),
        ((Rule(permit=True), Rule(permit=False)), "terms.rules[0]"),
        ((Rule(permit=False),), "terms.rules[0]"),
        ((Rule(permit=False, references=(w.salt("r"),)), Rule(permit=False)), "terms.rules[1]"),
        (
            (
                Rule(permit=True, grantees=(w.DOCTOR,), categories=LAB),
                Rule(permit=False, grantees=(w.DOCTOR, w.HOSPITAL), categories=LAB | MEDICINES),
            ),
            "terms.rules[0]",
        ),
    ],
)
def test_permission_that_never_applies_is_named(rules: tuple[Rule, ...], field: str) -> None:
    with pytest.raises(RulesContradict) as refusal:
        check_consistent(rules, Kind.PERMIT)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "rules",
    [
        (),
        (NO_LAB,),
        (NO_LAB, Rule(permit=True, categories=LAB, grantees=(w.DOCTOR,))),  # the more specific one wins
        (Rule(permit=True, categories=LAB | MEDICINES), NO_LAB),
        (Rule(permit=False), Rule(permit=True, categories=LAB)),
        (Rule(permit=False, sensitivities=w.sensitivities("HIV")), Rule(permit=True)),
        (Rule(permit=True, obligations=1), Rule(permit=False, data_to=w.DATA_TIME)),
    ],
)
def test_exceptions_are_no_contradiction(rules: tuple[Rule, ...]) -> None:
    check_consistent(rules, Kind.PERMIT)


def test_deny_is_never_held_up() -> None:
    check_consistent((Rule(permit=True), Rule(permit=False)), Kind.DENY)


RULES = st.builds(
    Rule,
    permit=st.booleans(),
    categories=st.sampled_from([0, LAB, MEDICINES, LAB | MEDICINES]),
    purposes=st.sampled_from([0, w.purposes("TREAT")]),
    actions=st.sampled_from([0, w.actions("access")]),
    grantees=st.sampled_from([(), (w.CLINIC,), (w.DOCTOR, w.CLINIC)]),
)


@given(st.lists(RULES, max_size=4))
def test_what_is_named_makes_no_difference_to_any_decision(rules: list[Rule]) -> None:
    """What it refuses is indeed never the rule that permits."""
    try:
        check_consistent(rules, Kind.PERMIT)
    except RulesContradict as refusal:
        index = int(str(refusal.field).removeprefix("terms.rules[").removesuffix("]"))
        if not rules[index].permit:
            return
        for category in ("laboratory", "medications"):
            request = w.ask(w.final(w.grant(Kind.PERMIT, *rules)), segment=w.segment(category))
            found = decide(request)
            assert not (found.answer is Answer.PERMIT and found.findings[0].rule == index)
