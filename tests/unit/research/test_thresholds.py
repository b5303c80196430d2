"""Exact figures: small cells withheld, nothing that gives them away, once a study, and outside of epsilon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from backend.research.errors import ThresholdOverlap
from backend.research.figures.columns import Columns
from backend.research.figures.differencing import gives_away
from backend.research.outputs import Contingency, Count, Filter, Histogram, Threshold
from backend.research.study import Proposal
from backend.research.thresholds import MINIMUM_CELL, answer_thresholds
from backend.research.types import Candidate, Pseudonym
from backend.research.variables import Kind, Role, Variable
from backend.types import ConsentId

SEX = Variable("sex", Kind.SEX, Role.QUASI)
ILL = Variable("ill", Kind.CONDITION, system="s", code="1")
SMOKES = Variable("smokes", Kind.SMOKING)
VARIABLES = {each.name: each for each in (SEX, ILL, SMOKES)}
MEN, SICK = Filter("sex", ("male",)), Filter("ill", ("present",))
WOMEN = Filter("sex", ("female",))


def columns(*groups: tuple[int, str, str, str]) -> Columns:
    rows = [
        {"sex": sex, "ill": ill, "smokes": smokes}
        for number, sex, ill, smokes in groups
        for _ in range(number)
    ]
    names = [Pseudonym(f"{place:032x}") for place in range(len(rows))]
    return Columns(VARIABLES, names, rows, candidates=len(rows))


def answers(data: Columns, *asked: Count | Histogram | Contingency) -> list[tuple[int | None, ...]]:
    found = answer_thresholds([Threshold(each) for each in asked], data, VARIABLES)
    return [each.values for each in found]


MIXED = columns(
    (40, "male", "present", "never"), (33, "male", "absent", "never"),
    (27, "female", "present", "current"), (52, "female", "absent", "former"),
)  # fmt: skip


def test_large_cells_are_rounded_and_small_ones_withheld() -> None:
    assert answers(MIXED, Count("a", (SICK,))) == [(65,)]
    assert answers(MIXED, Contingency("a", "sex", "ill"))[0][:2] == (25, 50)  # 27 and 52
    few = columns((10, "male", "present", "never"), (100, "female", "absent", "never"))
    assert answers(few, Count("a", (SICK,))) == [(None,)]
    enough = columns((11, "male", "present", "never"), (100, "female", "absent", "never"))
    assert answers(enough, Count("a", (SICK,))) == [(10,)]


def test_count_whose_complement_is_small_is_withheld() -> None:
    data = columns((100, "male", "present", "never"), (10, "female", "absent", "never"))
    assert answers(data, Count("a", (MEN,))) == [(None,)]


def test_cells_beside_a_small_one_are_withheld_until_it_does_not_follow() -> None:
    data = columns(
        (5, "male", "present", "never"),
        (60, "male", "present", "current"),
        (80, "male", "present", "former"),
    )  # fmt: skip
    told = dict(zip(SMOKES.domain, answers(data, Histogram("a", "smokes"))[0], strict=True))
    assert told["never"] is None
    assert told["current"] is None  # the smallest that protects it
    assert told["former"] == 80
    table = columns(
        (5, "male", "present", "never"), (60, "male", "absent", "never"),
        (70, "female", "present", "never"), (80, "female", "absent", "never"),
    )  # fmt: skip
    values = answers(table, Contingency("a", "sex", "ill"))[0]
    assert sum(value is not None for value in values) == 0  # with its margins known, any one tells the rest


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ((MEN,), (MEN, Filter("smokes", ("never", "former")))),  # they differ by 5
        ((MEN,), (WOMEN, Filter("ill", ("present", "absent")))),  # all but 5 are in one or the other
    ],
    ids=["difference", "rest"],
)
def test_counts_that_differ_by_a_few_are_refused_without_telling_which(
    more: tuple[Filter, ...], less: tuple[Filter, ...]
) -> None:
    data = columns(
        (100, "male", "present", "never"),
        (5, "male", "present", "current"),
        (100, "female", "absent", "never"),
        (5, "other", "absent", "never"),
    )  # fmt: skip
    wide = columns(
        (100, "male", "present", "never"),
        (50, "male", "present", "current"),
        (100, "female", "absent", "never"),
        (50, "other", "absent", "never"),
    )  # fmt: skip
    with pytest.raises(ThresholdOverlap) as refused:
        answers(data, Count("one", more), Count("other", less))
    assert str(refused.value) == ThresholdOverlap.remedy
    assert None not in {
        value for each in answers(wide, Count("one", more), Count("other", less)) for value in each
    }


def test_three_counts_of_which_no_two_tell_and_all_together_do() -> None:
    # Men and sick together, less those who are neither: what is over are the 5 who are both.
    data = columns(
        (95, "male", "absent", "never"), (5, "male", "present", "never"),
        (95, "female", "present", "current"), (100, "female", "absent", "former"),
    )  # fmt: skip
    first, second, neither = (
        Count("a", (MEN,)),
        Count("b", (SICK,)),
        Count("c", (Filter("smokes", ("former",)),)),
    )
    assert None not in answers(data, first, second)[0]
    with pytest.raises(ThresholdOverlap):
        answers(data, first, second, neither)


def by_trying(known: NDArray[np.bool_], cells: NDArray[np.bool_], minimum: int) -> bool:
    """Every union of atoms, and whether it adds to the rank of what is known."""
    every = np.concatenate([known, cells])
    atoms, sizes = np.unique(every, axis=1, return_counts=True)
    matrix = atoms[: len(known)].astype(float)
    rank = np.linalg.matrix_rank(matrix)
    for group in product((0, 1), repeat=atoms.shape[1]):
        small = 0 < int(np.dot(group, sizes)) < minimum
        if small and np.linalg.matrix_rank(np.vstack([matrix, np.array(group, float)])) == rank:
            return True
    return False


@settings(max_examples=150)
@given(st.data())
def test_check_agrees_with_trying_every_group(data: Any) -> None:
    patients, sets = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 4))
    bits = st.lists(st.booleans(), min_size=patients, max_size=patients)
    cells = np.array(data.draw(st.lists(bits, min_size=sets, max_size=sets)), dtype=np.bool_)
    told = data.draw(st.integers(1, sets))
    known = np.vstack([np.ones(patients, np.bool_), cells[:told]])
    minimum = data.draw(st.integers(1, 5))
    assert gives_away(list(known), all_cells=list(cells), minimum=minimum) == by_trying(known, cells, minimum)


def test_more_cells_than_can_be_checked_are_refused() -> None:
    drawn = np.random.default_rng(1)
    cells = [drawn.random(20_000) < 0.5 for _ in range(14)]
    assert gives_away(cells, all_cells=cells, minimum=MINIMUM_CELL)


def test_run_gives_exact_figures_once_and_to_the_same_patients_only(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: Callable[..., Candidate]
) -> None:
    asked = Threshold(Count("diabetics", (Filter("diabetes", ("present",)),)))
    study = world.approved(proposal_with(outputs=(asked, Count("noisy"))))
    people = [candidate_with(number) for number in range(1, 301)]
    people += [candidate_with(number, epsilon_cap=5_000_000) for number in range(301, 601)]
    first = world.runner.run(study, people)
    assert [each.values for each in first.thresholds] == [(100,)]  # who set a cap is in no exact figure
    assert [named.name for named in first.answers] == ["participants", "noisy"]
    again = world.runner.run(study, people)
    assert again.as_json()["thresholds"] == first.as_json()["thresholds"]
    people[0] = replace(people[0], consents=(ConsentId(b"n" * 32),))
    later = world.runner.run(study, people)
    assert (later.thresholds, later.threshold_refusal) == ((), "threshold_overlap")
    assert later.answers
