"""The difference of two versions names every member that changed, in words, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.research.board.difference import Change, Version, differences, version_of
from backend.research.outputs import Count, Filter, Histogram
from backend.research.study import Proposal
from backend.research.study_terms import Basis, Dataset, Price, ProtocolDocument
from backend.research.types import StudyId
from backend.research.variables import Kind, Role, Variable
from backend.types import Address, Bytes32, MemberId, UnixSeconds

MANY = {
    "researcher": MemberId(b"q" * 32),
    "title": "Another title",
    "purpose": "CLINTRCH",
    "duo": ("DUO:0000042",),
    "variables": (Variable("sex", Kind.SEX, Role.QUASI),),
    "outputs": (Count("all"),),
    "not_before": UnixSeconds(1_790_000_001),
    "not_after": UnixSeconds(1_799_999_999),
    "epsilon": 1_000_000,
    "runs": 3,
    "minimum_cohort": 6,
    "price": Price(Address("0x" + "ab" * 20), 7, Basis.STUDY),
    "documents": (ProtocolDocument("Protocol", "application/pdf", Bytes32(b"p" * 32)),),
    "dataset": Dataset(),
}


@pytest.fixture
def first(proposal_with: Callable[..., Proposal]) -> Proposal:
    return proposal_with()


def test_same_text_has_no_difference_whatever_its_salt(first: Proposal) -> None:
    again = replace(first, salt=b"t" * 32, amends=StudyId(first.digest))
    assert differences(first, again) == ()


def test_every_member_that_can_change_is_seen(first: Proposal) -> None:
    assert set(MANY) == {*first.__dataclass_fields__} - {"salt", "amends"}
    for name, value in MANY.items():
        changed = differences(first, replace(first, **{name: value}))
        assert changed, name
        assert {change.member.split(".")[0] for change in changed} == {
            "period" if name.startswith("not_") else name
        }


def test_variables_are_compared_by_name_and_member(first: Proposal) -> None:
    sex, age, region, diabetes = first.variables
    other = replace(
        first,
        variables=(
            diabetes,
            replace(age, edges=("0", "50")),
            sex,
            Variable("birth_year", Kind.BIRTH_YEAR, Role.QUASI, edges=("1950", "2000")),
        ),
    )
    found = {change.member: (change.before, change.after) for change in differences(first, other)}
    assert found["variables.age.edges"] == ("0; 18; 40; 65; 90", "0; 50")
    assert found["variables.birth_year.edges"] == ("", "1950; 2000")
    assert found["variables.region"] == ("named", "")
    assert not [name for name in found if name.startswith(("variables.sex", "variables.diabetes"))]
    assert region.name == "region"


def test_terms_periods_and_filters_are_told_in_words(first: Proposal) -> None:
    other = replace(
        first,
        duo=("DUO:0000006",),
        not_after=UnixSeconds(first.not_after + 86_400),
        outputs=(Count("diabetics", (Filter("diabetes", ("absent", "present")),)), Histogram("ages", "age")),
    )
    found = {change.member: change for change in differences(first, other)}
    assert found["duo.DUO:0000046"] == Change("duo.DUO:0000046", "non-commercial use only", "")
    assert found["period.to"] == Change("period.to", "2026-10-03T04:00:00Z", "2026-10-04T04:00:00Z")
    assert found["outputs.diabetics.count"].after == "diabetes: absent, present"
    assert found["outputs.people"].after == ""


def test_output_without_anything_but_a_name_is_seen(first: Proposal) -> None:
    other = replace(first, outputs=(*first.outputs, Count("everybody")))
    assert [change.member for change in differences(first, other)] == ["outputs.everybody"]


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({"not_after": UnixSeconds(1_900_000_000)}, Version.RENEWAL),
        (
            {"not_after": UnixSeconds(1_900_000_000), "not_before": UnixSeconds(1_790_000_500)},
            Version.RENEWAL,
        ),
        ({"not_after": UnixSeconds(1_900_000_000), "runs": 3}, Version.AMENDMENT),
        ({"not_after": UnixSeconds(1_790_000_100)}, Version.AMENDMENT),
        ({}, Version.AMENDMENT),
    ],
)
def test_renewal_is_what_changes_the_period_alone_and_ends_later(
    first: Proposal, changes: dict[str, Any], version: Version
) -> None:
    assert version_of(first, replace(first, salt=b"n" * 32, **changes)) is version
    assert version_of(None, first) is Version.FIRST
