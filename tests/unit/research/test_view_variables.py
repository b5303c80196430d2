"""A view's column is taken of the rows that count, and a view reads no more than its categories permit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from backend.consent.tables import load_tables
from backend.research.errors import StudyDamaged, StudyInvalid, ViewChanged
from backend.research.extraction import PatientRecords, extract, readable
from backend.research.study import Proposal, propose
from backend.research.study_json import proposal_from_json
from backend.research.types import Opened
from backend.research.variables import Kind, Role, Value, Variable, validate_variable
from backend.research.view_variables import Take, source_of
from backend.research.views.parse import parse_view
from backend.research.views.types import View

MASK = load_tables().categories.mask


def make_view(name: str, resource: str, categories: list[str], when: str = "", **columns: str) -> View:
    extension: list[dict[str, str]] = [
        {"url": "urn:assent:category", "valueCode": code} for code in categories
    ]
    if when:
        extension.append({"url": "urn:assent:when", "valueString": when})
    made = [
        {"name": column, "path": path.partition(" as ")[0], "type": path.partition(" as ")[2] or "string"}
        for column, path in columns.items()
    ]
    return parse_view(
        {"name": name, "resource": resource, "select": [{"column": made}], "extension": extension}
    )


VISITS = make_view(
    "visits",
    "Encounter",
    ["encounters"],
    "start",
    start="period.start as dateTime",
    kind="class.code",
    minutes="length.value as decimal",
    planned="planned as boolean",
)
PEOPLE = make_view(
    "people",
    "Patient",
    ["demographics"],
    gender="gender",
    born="birthDate as date",
    city="address.first().city",
    number="identifier.first().value",
)


def variable(view: View, column: str, take: Take, *where: tuple[str, str], **domain: Any) -> Variable:
    source = source_of(view, column, take, where, categories=MASK(view.categories), field="source")
    return Variable("x", Kind.VIEW, Role.QUASI, source=source, **domain)


def value(asked: Variable, *opened: Opened) -> Value:
    records = PatientRecords(opened, {view.name: view for view in (VISITS, PEOPLE)})
    return extract([asked], frozenset({"x"}), records)["x"]


def visit(start: str | None, kind: str, minutes: Any = None, **fields: Any) -> Opened:
    resource = {
        "resourceType": "Encounter",
        "class": {"code": kind},
        **({"period": {"start": start}} if start else {}),
        **({"length": {"value": minutes}} if minutes is not None else {}),
        **fields,
    }
    return Opened(MASK(["encounters"]), resource)


FOUR = (
    visit("2024-03-01", "AMB", 20.5),
    visit("2025-01-01T10:00:00Z", "EMER", 60),
    visit("2023-01-01", "AMB", 10),
    visit(None, "IMP", 9_000),
)


@pytest.mark.parametrize(
    ("column", "take", "where", "expected"),
    [
        ("kind", Take.ANY, (), "present"),
        ("kind", Take.ANY, (("kind", "IMP"),), "present"),
        ("kind", Take.ANY, (("kind", "HH"),), "absent"),
        ("minutes", Take.ANY, (("kind", "EMER"), ("minutes", "60")), "present"),
        ("kind", Take.COUNT, (("kind", "AMB"),), Decimal(2)),
        ("kind", Take.LATEST, (), "EMER"),
        ("minutes", Take.LATEST, (("kind", "AMB"),), Decimal("20.5")),
        ("start", Take.LATEST, (), Decimal(2025)),
        ("start", Take.LOWEST, (), Decimal(2023)),
        ("minutes", Take.HIGHEST, (), Decimal(9_000)),
        ("minutes", Take.LOWEST, (("kind", "HH"),), None),
        ("kind", Take.ONLY, (), None),
        ("kind", Take.ONLY, (("kind", "AMB"),), "AMB"),
        ("planned", Take.ONLY, (), None),
    ],
)
def test_take_of_the_rows_that_count(
    column: str, take: Take, where: tuple[tuple[str, str], ...], expected: Value
) -> None:
    levels: dict[str, Any] = {"levels": ("AMB", "EMER")} if isinstance(expected, str) else {}
    assert value(variable(VISITS, column, take, *where, **levels), *FOUR) == expected


def test_latest_of_one_date_is_the_last_given_and_no_date_never_counts() -> None:
    same = (visit("2024-01-01", "AMB"), visit("2024-01-01", "EMER"), visit("soon", "IMP"))
    assert value(variable(VISITS, "kind", Take.LATEST), *same) == "EMER"
    assert value(variable(VISITS, "kind", Take.LATEST), visit(None, "AMB")) is None


def test_resource_that_does_not_fit_the_view_is_as_if_it_were_not_there() -> None:
    odd = visit("2026-01-01", "AMB", "long")  # a number by its type
    assert value(variable(VISITS, "minutes", Take.HIGHEST), odd, *FOUR) == Decimal(9_000)
    assert value(variable(VISITS, "kind", Take.COUNT), odd) == Decimal(0)


def test_view_reads_no_segment_of_a_category_it_does_not_declare() -> None:
    asked = variable(VISITS, "kind", Take.COUNT)
    elsewhere = [
        replace(FOUR[0], categories=MASK(codes))
        for codes in (["payments"], ["encounters", "psychotherapy_notes"], ["other"], [])
    ]
    assert value(asked, *elsewhere) == Decimal(0)
    assert value(asked, *elsewhere, FOUR[1]) == Decimal(1)
    assert value(asked, Opened((1 << 64) - 1, FOUR[0].resource)) == Decimal(0)


def test_view_of_patients_gets_no_element_of_a_category_it_does_not_declare() -> None:
    person = {
        "resourceType": "Patient",
        "gender": "female",
        "birthDate": "1970-02-03",
        "address": [{"city": "Ulm"}],
        "identifier": [{"value": "4711"}],
    }
    opened = Opened(MASK(["demographics", "contact", "identifiers"]), person)
    assert value(variable(PEOPLE, "gender", Take.ONLY, levels=("female",)), opened) == "female"
    assert value(variable(PEOPLE, "born", Take.ONLY, edges=("1950", "2000")), opened) == Decimal(1970)
    assert value(variable(PEOPLE, "city", Take.ONLY, levels=("Ulm",)), opened) is None
    assert value(variable(PEOPLE, "number", Take.ANY), opened) == "absent"
    wider = replace(PEOPLE, categories=("contact", "demographics"))
    asked = variable(wider, "city", Take.ONLY, levels=("Ulm",))
    assert value(asked, opened) == "Ulm"
    assert value(variable(wider, "number", Take.ANY), opened) == "absent"
    assert "address" in person  # what was opened stays whole for others


def test_kinds_of_ours_read_segments_of_their_category_only() -> None:
    laboratory = Variable("x", Kind.LABORATORY, system="s", code="c", unit="g", edges=("1", "2"))
    assert readable(laboratory, MASK(["laboratory"]))
    assert readable(laboratory, MASK(["laboratory", "reports"]))
    assert not readable(laboratory, MASK(["vital_signs"]))
    sex = Variable("x", Kind.SEX, Role.QUASI)
    person = {"resourceType": "Patient", "gender": "male"}
    assert value(sex, Opened(MASK(["demographics", "contact"]), person)) == "male"
    assert value(sex, Opened(MASK(["other"]), person)) is None


def test_study_of_a_view_that_changed_or_is_gone_is_refused() -> None:
    asked = variable(VISITS, "kind", Take.ANY)
    changed = replace(VISITS, digest="0" * 64)
    for views in ({"visits": changed}, {}):
        with pytest.raises(ViewChanged):
            extract([asked], frozenset({"x"}), PatientRecords(FOUR, views))


@pytest.mark.parametrize(
    ("column", "take", "where", "field"),
    [
        ("nosuch", Take.ANY, (), "source.column"),
        ("kind", Take.LOWEST, (), "source.take"),
        ("kind", Take.ANY, (("nosuch", "1"),), "source.where"),
    ],
)
def test_source_that_cannot_be_taken_is_refused(
    column: str, take: Take, where: tuple[tuple[str, str], ...], field: str
) -> None:
    with pytest.raises(StudyInvalid) as refused:
        source_of(VISITS, column, take, where, categories=1, field="source")
    assert refused.value.field == field
    with pytest.raises(StudyInvalid):
        source_of(replace(VISITS, when=""), "kind", Take.LATEST, (), categories=1, field="source")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (variable(VISITS, "kind", Take.ANY, levels=("AMB",)), "v.levels"),
        (variable(VISITS, "kind", Take.LATEST), "v.edges"),
        (variable(VISITS, "kind", Take.LATEST, levels=("AMB",), edges=("1", "2")), "v.edges"),
        (variable(VISITS, "minutes", Take.LOWEST, levels=("AMB",)), "v.edges"),
        (variable(VISITS, "minutes", Take.LOWEST, edges=("2", "1")), "v.edges"),
        (variable(VISITS, "kind", Take.COUNT, levels=("1",)), "v.edges"),
        (replace(variable(VISITS, "kind", Take.ANY), kind=Kind.SEX), "v.source"),
        (Variable("x", Kind.VIEW, Role.QUASI), "v.source"),
        (replace(variable(PEOPLE, "city", Take.ANY), role=Role.SENSITIVE), "v.role"),
    ],
)
def test_view_variable_without_a_public_domain_is_refused(asked: Variable, field: str) -> None:
    with pytest.raises(StudyInvalid) as refused:
        validate_variable(asked, field="v")
    assert refused.value.field == field


def test_levels_of_a_view_variable_are_public() -> None:
    words = variable(VISITS, "kind", Take.LATEST, levels=("AMB", "EMER"))
    assert [words.level_of(found) for found in ("AMB", "HH", Decimal(1), None)] == [
        "AMB",
        "other",
        "other",
        "missing",
    ]
    numbers = variable(VISITS, "minutes", Take.LATEST, edges=("15", "60"))
    assert [numbers.level_of(found) for found in (Decimal(15), Decimal(60), "long", None)] == [
        "[15,60)",
        ">=60",
        "missing",
        "missing",
    ]
    assert variable(VISITS, "kind", Take.ANY).domain == ("present", "absent", "other", "missing")


def test_proposal_with_a_view_comes_back_as_stored_and_others_keep_their_digest(
    proposal_with: Callable[..., Proposal],
) -> None:
    asked = variable(VISITS, "kind", Take.COUNT, ("kind", "AMB"), edges=("1", "5"))
    plain = proposal_with()
    proposal = proposal_with(variables=(*plain.variables, asked))
    assert propose(proposal).proposal is proposal
    document = proposal.as_json()
    assert proposal_from_json(document) == proposal
    assert not any("source" in item for item in plain.as_json()["variables"])
    document["variables"][-1]["source"]["take"] = "sum"
    with pytest.raises(StudyDamaged):
        proposal_from_json(document)
