"""Lists of exact figures of several studies tell together no group that none of them tells alone."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.consent.tables import load_tables
from backend.research.catalogue.offers import load_catalogue
from backend.research.errors import ThresholdListsOverlap
from backend.research.figures.columns import Columns
from backend.research.list_overlap import FigureList, overlap
from backend.research.outputs import Bounds, Contingency, Count, Exact, Filter, Histogram, Mean, Threshold
from backend.research.study import Event, Proposal, propose
from backend.research.thresholds import _cells
from backend.research.time_to_event import Course, TimeUnit
from backend.research.types import Candidate, Pseudonym
from backend.research.variables import Kind, Role, Value, Variable
from backend.research.view_variables import Take

CATALOGUE = load_catalogue(None, load_tables())
SEX = Variable("sex", Kind.SEX, Role.QUASI)
ILL = Variable("ill", Kind.CONDITION, system="s", code="1")
OTHER = Variable("sick", Kind.CONDITION, system="s", code="2")
WOMEN = Filter("sex", ("female",))


def age(*edges: str, at: str = "2026-01-01") -> Variable:
    return Variable("age", Kind.AGE, Role.QUASI, edges=edges, reference_date=at)


def listed(*figures: Exact, variables: tuple[Variable, ...] = (SEX, ILL, OTHER)) -> FigureList:
    return FigureList(figures, {variable.name: variable for variable in variables})


def by_age(*edges: str, at: str = "2026-01-01") -> FigureList:
    return listed(Histogram("ages", "age"), variables=(age(*edges, at=at),))


def of_view(name: str, **where: str) -> FigureList:
    source = CATALOGUE.source("conditions", "code", Take.ANY, list(where.items()), field="x")
    return listed(Histogram("h", name), variables=(Variable(name, Kind.VIEW, source=source),))


def followed(unit: TimeUnit, kind: Kind = Kind.EVENT_STATUS) -> FigureList:
    visits = ("encounters", "start", [])
    course: Course = CATALOGUE.course(unit, [visits, ("conditions", "onset", []), visits], field="x")
    edges = ("1", "2") if kind is Kind.TIME_TO_EVENT else ()
    return listed(Histogram("h", "v"), variables=(Variable("v", kind, edges=edges, course=course),))


CASES: list[tuple[str, FigureList, FigureList, bool]] = [
    ("same list", by_age("18", "65"), by_age("18", "65"), False),
    ("bins that are cut finer, over all of the other's", by_age("18", "40", "65"), by_age("18", "65"), False),
    ("bins that cut across", by_age("18", "40"), by_age("18", "41"), True),
    ("age at another date", by_age("18", "65"), by_age("18", "65", at="2026-01-02"), True),
    ("separate attributes", by_age("18", "65"), listed(Histogram("s", "sex")), False),
    ("separate codes", listed(Histogram("a", "ill")), listed(Histogram("b", "sick")), False),
    (
        "a filter more",
        listed(Count("a", (WOMEN,))),
        listed(Count("b", (WOMEN, Filter("ill", ("present",))))),
        True,
    ),
    (
        "all of it and a filter more",
        listed(Count("a", (WOMEN,))),
        listed(Contingency("b", "sex", "ill")),
        False,
    ),
    (
        "two pairs that share one",
        listed(Contingency("a", "sex", "ill")),
        listed(Contingency("b", "sex", "sick")),
        True,
    ),
    (
        "complement",
        listed(Count("a", (WOMEN,))),
        listed(Count("b", (Filter("sex", ("male", "other", "unknown")),))),
        True,  # missing ones follow
    ),
    ("nobody asked", listed(Histogram("a", "sex")), listed(), False),
    ("everybody", listed(Histogram("a", "sex")), listed(Count("all")), False),
    (
        "place and its state",
        listed(Histogram("a", "p"), variables=(Variable("p", Kind.POSTAL_REGION, Role.QUASI),)),
        listed(Histogram("b", "t"), variables=(Variable("t", Kind.STATE, Role.QUASI),)),
        True,
    ),
    (
        "all conditions and active ones",
        listed(Histogram("a", "ill")),
        listed(Histogram("b", "ill"), variables=(replace(ILL, active_only=True),)),
        True,
    ),
    ("rows of a view that are apart", of_view("a", code="1"), of_view("b", code="2"), False),
    ("rows of a view that are inside others", of_view("a", code="1"), of_view("b"), True),
    ("a view and our kind of its category", of_view("a", code="1"), listed(Histogram("b", "ill")), True),
    ("a course in another unit", followed(TimeUnit.DAYS), followed(TimeUnit.MONTHS), True),
    ("the same course", followed(TimeUnit.DAYS), followed(TimeUnit.DAYS), False),
    (
        "a status and its time",
        followed(TimeUnit.DAYS),
        followed(TimeUnit.DAYS, Kind.TIME_TO_EVENT),
        True,
    ),
]


@pytest.mark.parametrize(
    ("one", "other", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_lists_overlap_where_more_follows_from_both(
    one: FigureList, other: FigureList, expected: bool
) -> None:
    assert overlap(one, [other]) is expected
    assert overlap(other, [one]) is expected
    assert not overlap(one, [])


def test_list_is_held_against_all_others_together() -> None:
    pairs = [Contingency("a", "sex", "ill"), Contingency("b", "ill", "sick"), Contingency("c", "sex", "sick")]
    first, second, third = (listed(pair) for pair in pairs)
    assert overlap(third, [first, second])
    assert not overlap(listed(*pairs), [first])
    assert not overlap(listed(pairs[0]), [listed(*pairs)])


def test_many_joined_levels_are_refused_but_for_the_same_cells() -> None:
    region = Variable("region", Kind.POSTAL_REGION, Role.QUASI)
    both = (region, SEX)
    crossed = listed(Count("x", (WOMEN, Filter("region", ("021",)))), variables=both)
    regions = listed(Histogram("r", "region"), variables=both)
    assert overlap(crossed, [regions])
    assert not overlap(regions, [regions])
    assert not overlap(listed(*crossed.figures, *regions.figures, variables=both), [regions])


# --- against every group there is

VALUES: dict[str, tuple[Value, ...]] = {
    "age": (Decimal(10), Decimal(30), Decimal(50), None),
    "country": ("US", "DE", "FR", None),
}
PATIENTS = [dict(zip(VALUES, row, strict=True)) for row in itertools.product(*VALUES.values())]
EDGES = (("18", "40"), ("18", "90"), ("40", "90"))
COUNTRIES = (("US",), ("US", "DE"), ("FR",))


def random_list(source: random.Random) -> FigureList:
    variables = (
        age(*source.choice(EDGES)),
        Variable("country", Kind.COUNTRY, Role.QUASI, levels=source.choice(COUNTRIES)),
    )
    by_name = {variable.name: variable for variable in variables}

    def where() -> tuple[Filter, ...]:
        names = [name for name in by_name if source.random() < 0.5]
        domains = {name: [level for level in by_name[name].domain if level != "missing"] for name in names}
        return tuple(
            Filter(name, tuple(source.sample(levels, source.randint(1, len(levels)))))
            for name, levels in domains.items()
        )

    kinds: list[Callable[[], Exact]] = [
        lambda: Count("c", where()),
        lambda: Histogram("h", source.choice(list(by_name)), where()),
        lambda: Contingency("t", "age", "country"),
    ]
    return FigureList(tuple(source.choice(kinds)() for _ in range(source.randint(1, 2))), by_name)


def told(found: FigureList) -> NDArray[np.float64]:
    """The memberships that the run itself would count, and everybody."""
    names = [Pseudonym(bytes([place]) * 16) for place in range(len(PATIENTS))]
    columns = Columns(found.variables, names, PATIENTS, candidates=len(PATIENTS))
    cells = [cell for figure in found.figures for cell in _cells(figure, columns)]
    return np.array([np.ones(len(PATIENTS)), *cells], dtype=float)


def groups_of(cells: NDArray[np.float64], subsets: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which groups are sums of the cells."""
    _, sizes, basis = np.linalg.svd(cells, full_matrices=False)
    basis = basis[sizes > 1e-9]
    return np.abs(subsets - subsets @ basis.T @ basis).max(axis=1) < 1e-7


def test_lists_that_are_let_stand_tell_no_new_group() -> None:
    count = len(PATIENTS)
    subsets = ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(float)
    source, verdicts = random.Random(3), []
    for _ in range(60):
        one, other = random_list(source), random_list(source)
        mine, theirs = told(one), told(other)
        new = groups_of(np.concatenate([mine, theirs]), subsets)
        new &= ~groups_of(mine, subsets) & ~groups_of(theirs, subsets)
        verdict = overlap(one, [other])
        verdicts.append(verdict)
        assert verdict or not new.any(), (one, other)
    assert 10 <= sum(verdicts) <= 50  # neither always nor never


# --- studies


def asking(proposal_with: Callable[..., Proposal], *figures: Exact, **changes: Any) -> Proposal:
    outputs = tuple(Threshold(figure) for figure in figures)
    return proposal_with(variables=(SEX, ILL, OTHER), outputs=outputs, **changes)


def test_study_is_held_against_what_stands_and_what_was_answered(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: Callable[..., Candidate]
) -> None:
    standing = world.approved(asking(proposal_with, Count("a", (WOMEN,)), title="first"))
    inside = Count("b", (WOMEN, Filter("ill", ("present",))))
    later = propose(asking(proposal_with, inside, title="second"))
    with pytest.raises(ThresholdListsOverlap):
        world.lists.require_apart(later)
    world.lists.require_untold(later)  # nothing was told yet
    world.lists.require_apart(standing)  # not against itself
    plain = Mean("m", Bounds("sex", "0", "1"))
    world.lists.require_apart(replace(later, proposal=replace(later.proposal, outputs=(plain,))))
    world.proposals.known[standing.study_id] = standing.after(Event.CLOSE)
    world.lists.require_apart(later)
    world.thresholds.keep(standing.study_id, b"s" * 32, [])
    for check in (world.lists.require_apart, world.lists.require_untold):
        with pytest.raises(ThresholdListsOverlap):
            check(later)
    # Permitted at once with the first, and answered after it: the run gives the protected figures alone.
    world.approved(later.proposal)
    people = [candidate_with(number) for number in range(1, 41)]
    result = world.runner.run(world.proposals.known[later.study_id], people)
    assert (result.thresholds, result.threshold_refusal) == ((), ThresholdListsOverlap.code)
