"""A grant stays within its request; a delegate within the delegation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.consent.errors import WiderThanParent, WiderThanRequest
from backend.consent.subset import Asked, check_answers, check_child, check_given_under
from backend.consent.terms import UNBOUNDED, UNLIMITED_USES, Kind, Power
from backend.consent.typed_data import consent_id
from scripts.vectors import world as w

ASKED = Asked(
    subject=w.SUBJECT,
    grantee=w.CLINIC,
    purposes=w.purposes("TREAT"),
    categories=w.categories("laboratory", "medications", "notes"),
    sensitivities=w.sensitivities("MH"),
    actions=w.actions("access", "use"),
    data_from=w.DATA_TIME,
    data_to=w.NOW,
    not_before=w.START,
    not_after=w.END,
    erase_by=w.END,
    max_uses=10,
    uses_per_period=3,
    period_seconds=3600,
)
NARROW: dict[str, Any] = {
    "data_from": w.DATA_TIME,
    "data_to": w.NOW,
    "erase_by": w.END,
    "max_uses": 10,
    "uses_per_period": 3,
    "period_seconds": 3600,
}


def test_grant_equal_to_or_narrower_than_the_request_is_accepted() -> None:
    check_answers(w.grant(**NARROW, categories=ASKED.categories, sensitivities=ASKED.sensitivities), ASKED)
    check_answers(w.grant(**{**NARROW, "max_uses": 1}, categories=w.categories("notes")), ASKED)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": w.OTHER_SUBJECT}, "subject"),
        ({"grantee": w.HOSPITAL}, "terms.grantee"),
        ({"purposes": w.purposes("TREAT", "COC")}, "terms.purposes"),
        ({"categories": w.categories("genomics")}, "terms.categories"),
        ({"sensitivities": w.sensitivities("HIV")}, "terms.sensitivities"),
        ({"actions": w.actions("export")}, "terms.actions"),
        ({"data_from": w.DATA_TIME - 1}, "terms.dataFrom"),
        ({"data_to": w.NOW + 1}, "terms.dataTo"),
        ({"not_before": w.START - 1}, "notBefore"),
        ({"not_after": w.END + 1}, "notAfter"),
        ({"erase_by": UNBOUNDED}, "terms.eraseBy"),
        ({"max_uses": 11}, "terms.maxUses"),
        ({"max_uses": 4, "uses_per_period": UNLIMITED_USES, "period_seconds": 0}, "terms.usesPerPeriod"),
        ({"uses_per_period": 4, "period_seconds": 3600}, "terms.usesPerPeriod"),
        ({"uses_per_period": 1, "period_seconds": 1000}, "terms.usesPerPeriod"),
        ({"redelegation_depth": 1}, "terms.redelegationDepth"),
    ],
)
def test_grant_wider_than_the_request_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(WiderThanRequest) as refusal:
        check_answers(w.grant(**{**NARROW, **changes}), ASKED)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "limit",
    [
        {"uses_per_period": 2, "period_seconds": 3600},
        {"uses_per_period": 3, "period_seconds": 7200},
        {"uses_per_period": 1, "period_seconds": 1200},  # three in any hour
        {"max_uses": 3, "uses_per_period": UNLIMITED_USES, "period_seconds": 0},
    ],
)
def test_limit_that_never_gives_more_uses_in_a_period_is_narrower(limit: dict[str, int]) -> None:
    check_answers(w.grant(**{**NARROW, **limit}), ASKED)


def test_deny_and_refusal_give_nothing_and_are_accepted() -> None:
    check_answers(w.grant(Kind.DENY), ASKED)
    check_answers(w.grant(Kind.REFUSAL), ASKED)
    with pytest.raises(WiderThanRequest):
        check_answers(w.grant(Kind.REFUSAL, grantee=w.HOSPITAL), ASKED)


MOTHER = w.delegation(powers=15, depth=2)
CHILD = w.delegation(delegate=w.CARER, powers=int(Power.READ), parent=consent_id(MOTHER), depth=1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": w.OTHER_SUBJECT}, "subject"),
        ({"purposes": w.purposes("HRESCH")}, "terms.purposes"),
        ({"categories": w.categories("notes")}, "terms.categories"),
        ({"sensitivities": 1}, "terms.sensitivities"),
        ({"not_after": UNBOUNDED}, "notAfter"),
    ],
)
def test_grant_beyond_the_delegation_is_refused(changes: dict[str, Any], field: str) -> None:
    check_given_under(w.grant(), [MOTHER])
    with pytest.raises(WiderThanParent) as refusal:
        check_given_under(w.grant(**changes), [MOTHER])
    assert refusal.value.field == field


def test_delegate_may_not_deny_everything_with_power_over_a_part() -> None:
    with pytest.raises(WiderThanParent):
        check_given_under(w.grant(Kind.DENY), [MOTHER])


def test_grant_needs_the_power_to_grant_and_a_chain() -> None:
    with pytest.raises(WiderThanParent):
        check_given_under(w.grant(), [CHILD, MOTHER])
    with pytest.raises(WiderThanParent):
        check_given_under(w.grant(), [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": Kind.GUARDIANSHIP}, "kind"),
        ({"subject": w.OTHER_SUBJECT}, "subject"),
        ({"powers": 16}, "powers"),
        ({"purposes": w.purposes("HRESCH")}, "terms.purposes"),
        ({"categories": w.categories("notes")}, "terms.categories"),
        ({"not_after": UNBOUNDED}, "notAfter"),
        ({"depth": 2}, "depth"),
    ],
)
def test_child_beyond_its_parent_is_refused(changes: dict[str, Any], field: str) -> None:
    check_child(CHILD, [MOTHER])
    inner = {name: changes[name] for name in changes if hasattr(CHILD.terms, name)}
    outer = {name: changes[name] for name in changes if name not in inner}
    child = replace(CHILD, terms=replace(CHILD.terms, **inner), **outer)
    with pytest.raises(WiderThanParent) as refusal:
        check_child(child, [MOTHER])
    assert refusal.value.field == field


def test_every_link_above_had_to_allow_passing_on() -> None:
    middle = w.delegation(delegate=w.CARER, powers=15, parent=consent_id(MOTHER), depth=1)
    check_child(replace(CHILD, depth=0), [middle, MOTHER])
    with pytest.raises(WiderThanParent):
        check_child(replace(CHILD, depth=0), [middle, replace(MOTHER, powers=7)])
    with pytest.raises(WiderThanParent):
        check_child(replace(CHILD, depth=1), [middle, MOTHER])
