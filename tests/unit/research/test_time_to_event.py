"""A time to event follows the dates of three columns, and nothing is guessed where they leave it open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from backend.consent.tables import load_tables
from backend.research.catalogue.offers import load_catalogue
from backend.research.catalogue.synthetic import sample
from backend.research.errors import StudyInvalid
from backend.research.extraction import PatientRecords, extract, readable
from backend.research.outputs import Filter, Survival
from backend.research.study import Proposal, propose
from backend.research.study_json import proposal_from_json
from backend.research.time_to_event import Course, TimeUnit
from backend.research.types import Opened
from backend.research.variables import MISSING, Kind, Role, Value, Variable, validate_variable

TABLES = load_tables()
CATALOGUE = load_catalogue(None, TABLES)
MASK = TABLES.categories.mask
DIABETES, STROKE = "44054006", "230690007"


def course(unit: TimeUnit = TimeUnit.DAYS) -> Course:
    return CATALOGUE.course(
        unit,
        [
            ("conditions", "onset", [("code", DIABETES)]),
            ("conditions", "onset", [("code", STROKE)]),
            ("encounters", "end", []),
        ],
        field="course",
    )


def pair(unit: TimeUnit = TimeUnit.DAYS) -> tuple[Variable, Variable]:
    return (
        Variable("time", Kind.TIME_TO_EVENT, edges=("30", "365"), course=course(unit)),
        Variable("status", Kind.EVENT_STATUS, course=course(unit)),
    )


def condition(code: str, onset: str | None) -> Opened:
    resource = {"resourceType": "Condition", "code": {"coding": [{"code": code}]}}
    return Opened(MASK(["conditions"]), resource | ({"onsetDateTime": onset} if onset else {}))


def visit(end: str) -> Opened:
    return Opened(MASK(["encounters"]), {"resourceType": "Encounter", "period": {"start": end, "end": end}})


def followed(*opened: Opened, unit: TimeUnit = TimeUnit.DAYS) -> tuple[Value, Value]:
    row = extract(pair(unit), frozenset({"time", "status"}), PatientRecords(opened, CATALOGUE.views))
    return row["time"], row["status"]


INDEX = condition(DIABETES, "2020-01-31")
NOT_KNOWN = (None, None)


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        ([INDEX, condition(STROKE, "2020-03-01"), visit("2024-01-01")], (Decimal(30), "event")),
        ([INDEX, visit("2020-02-10"), visit("2020-02-05")], (Decimal(10), "censored")),
        ([INDEX, condition(STROKE, "2020-01-31")], (Decimal(0), "event")),
        # What was recorded is known, also after the last visit.
        ([INDEX, visit("2020-02-01"), condition(STROKE, "2020-02-20")], (Decimal(20), "event")),
        # The first of several dates begins and ends it.
        (
            [
                INDEX,
                condition(DIABETES, "2021-01-01"),
                *(condition(STROKE, f"2020-02-{d}") for d in (20, 10)),
            ],
            (Decimal(10), "event"),
        ),
        ([INDEX, condition(STROKE, None), visit("2020-02-10")], (Decimal(10), "censored")),
        # The day as it is written, whatever its hour elsewhere.
        ([INDEX, condition(STROKE, "2020-02-01T23:30:00-11:00")], (Decimal(1), "event")),
        ([condition(STROKE, "2020-03-01"), visit("2024-01-01")], NOT_KNOWN),
        ([INDEX, condition(STROKE, "2019-12-31"), visit("2024-01-01")], NOT_KNOWN),
        ([INDEX, condition(STROKE, "2019-12-31"), condition(STROKE, "2021-01-01")], NOT_KNOWN),
        ([INDEX], NOT_KNOWN),
        ([INDEX, visit("2020-01-01")], NOT_KNOWN),
        ([condition(DIABETES, "2020-01"), visit("2024-01-01")], NOT_KNOWN),
        ([INDEX, condition(STROKE, "2020"), visit("2024-01-01")], NOT_KNOWN),
        ([INDEX, visit("2020-02-10"), visit("2023")], (Decimal(10), "censored")),
        ([INDEX, visit("2020-02-31T00:00:00Z"), visit("2020-02-10")], (Decimal(10), "censored")),
    ],
)
def test_time_and_status_follow_the_dates(opened: list[Opened], expected: tuple[Value, Value]) -> None:
    assert followed(*opened) == expected


def test_months_and_years_are_cut_to_hundredths() -> None:
    people = [INDEX, visit("2022-01-30")]  # 730 days
    assert followed(*people, unit=TimeUnit.MONTHS) == (Decimal("23.98"), "censored")
    assert followed(*people, unit=TimeUnit.YEARS) == (Decimal("1.99"), "censored")


def test_levels_are_public_bins_and_the_two_statuses() -> None:
    time, status = pair()
    assert time.domain == ("<30", "[30,365)", ">=365", MISSING)
    assert [time.level_of(Decimal(days)) for days in (29, 30, 365)] == ["<30", "[30,365)", ">=365"]
    assert status.level_of("event") == "event"
    table = sample([time, status], rows=40, seed=1)
    assert set(table["time"]) <= set(time.domain)
    assert set(table["status"]) <= set(status.domain)


def test_each_view_sees_no_more_than_it_may_see_alone() -> None:
    time, _ = pair()
    assert time.categories == MASK(["conditions", "encounters"])
    assert readable(time, MASK(["conditions"]))
    assert readable(time, MASK(["encounters"]))
    both = MASK(["conditions", "encounters"])
    assert not readable(time, both)
    mixed = [Opened(both, opened.resource) for opened in (INDEX, condition(STROKE, "2020-03-01"))]
    assert followed(*mixed) == NOT_KNOWN
    row = extract(
        pair(), frozenset({"status"}), PatientRecords([INDEX, visit("2021-01-01")], CATALOGUE.views)
    )
    assert row == {"time": None, "status": "censored"}


def test_death_is_an_event_and_what_others_may_know() -> None:
    offers = {offer.variable.name: offer.variable for offer in CATALOGUE.offers}
    time, status = offers["years_to_death"], offers["death"]
    patient = {"resourceType": "Patient", "deceasedDateTime": "2021-01-01"}
    opened = [Opened(MASK(["demographics"]), patient), visit("2020-01-01T10:00:00Z")]
    names = frozenset({time.name, status.name})
    row = extract([time, status], names, PatientRecords(opened, CATALOGUE.views))
    assert row == {"years_to_death": Decimal("1.00"), "death": "event"}
    with pytest.raises(StudyInvalid, match="quasi"):
        validate_variable(replace(status, role=Role.SENSITIVE), field="x")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"course": None}, "x.course"),
        ({"edges": ()}, "x.edges"),
        ({"levels": ("event",)}, "x.levels"),
        ({"kind": Kind.AGE}, "x.course"),
    ],
)
def test_odd_time_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(StudyInvalid) as refused:
        validate_variable(replace(pair()[0], **change), field="x")
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("date", "field"),
    [(("nosuch", "onset", []), "course.index.view"), (("conditions", "code", []), "course.index")],
)
def test_course_is_made_of_dates_that_are_offered(date: tuple[str, str, list[Any]], field: str) -> None:
    end = ("encounters", "end", [])
    with pytest.raises(StudyInvalid) as refused:
        CATALOGUE.course(TimeUnit.DAYS, [date, end, end], field="course")
    assert (refused.value.field or "").startswith(field)


def survival(event: Filter) -> Survival:
    return Survival("curve", "time", event, ("30", "365"))


def test_curve_is_asked_over_one_course_and_read_back(proposal_with: Callable[..., Proposal]) -> None:
    time, status = pair()
    other = replace(status, name="other", course=course(TimeUnit.MONTHS))
    weight = Variable("ill", Kind.CONDITION, system="s", code="1")
    variables = (time, status, other, weight)

    def asked(event: Filter) -> Proposal:
        return proposal_with(variables=variables, outputs=(survival(event),))

    proposal = asked(Filter("status", ("event",)))
    propose(proposal)
    assert proposal_from_json(proposal.as_json()) == proposal
    for odd in (Filter("status", ("censored",)), Filter("other", ("event",)), Filter("ill", ("present",))):
        with pytest.raises(StudyInvalid) as refused:
            propose(asked(odd))
        assert refused.value.field == "outputs.0.event"
