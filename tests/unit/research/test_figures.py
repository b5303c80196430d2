"""Every figure: bounded as it says, near the truth, with bars that hold as often as they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.research.errors import ContributionUnbounded
from backend.research.figures.base import Figure, NoisyVector, error_of, gaussian, grain_of
from backend.research.figures.columns import Columns
from backend.research.figures.counting import ParticipantsFigure
from backend.research.figures.making import figure_of
from backend.research.figures.mean import MeanFigure
from backend.research.figures.quantile import QuantileFigure
from backend.research.figures.regression import RegressionFigure
from backend.research.figures.survival import SurvivalFigure
from backend.research.outputs import (
    Bounds,
    Contingency,
    Count,
    Filter,
    Histogram,
    Mean,
    Protected,
    Quantile,
    Regression,
    Survival,
)
from backend.research.types import NanoRho, Pseudonym
from backend.research.variables import Kind, Role, Value, Variable

VARIABLES = {
    variable.name: variable
    for variable in (
        Variable("sex", Kind.SEX, Role.QUASI),
        Variable("ill", Kind.CONDITION, system="s", code="1"),
        Variable("weight", Kind.VITAL_SIGN, system="s", code="2", unit="kg", edges=("40", "80", "120")),
        Variable("height", Kind.VITAL_SIGN, system="s", code="3", unit="cm", edges=("150", "170", "190")),
        Variable("months", Kind.LABORATORY, system="s", code="4", unit="mo", edges=("12", "24")),
    )
}
WEIGHT, HEIGHT = Bounds("weight", "40", "140", 1), Bounds("height", "140", "200")
ASKED: tuple[Protected, ...] = (
    Count("a", (Filter("ill", ("present",)),)),
    Histogram("b", "sex"),
    Contingency("c", "sex", "ill"),
    Mean("d", WEIGHT),
    Quantile("e", WEIGHT, "0.5", 250),
    Regression("f", WEIGHT, HEIGHT),
    Survival("g", "months", Filter("ill", ("present",)), ("6", "12", "18", "24")),
)
RHO = NanoRho(20_000_000)
Row = dict[str, Value]


def columns(rows: Sequence[Row], candidates: int | None = None) -> Columns:
    names = [Pseudonym(f"{number:032x}") for number in range(len(rows))]
    return Columns(VARIABLES, names, rows, candidates=len(rows) if candidates is None else candidates)


def people(number: int, seed: int = 1) -> list[Row]:
    drawn = np.random.default_rng(seed)
    found: list[Row] = []
    for place in range(number):
        height = drawn.normal(170, 10)
        weight = 0.9 * height - 80 + drawn.normal(0, 12)
        found.append(
            {
                "sex": "female" if place % 2 else "male",
                "ill": "present" if drawn.random() < 0.4 else "absent",
                "height": Decimal(round(height)) if place % 20 else None,
                "weight": Decimal(round(weight * 10)) / 10,
                "months": Decimal(round(drawn.exponential(20) * 10)) / 10 if place % 10 else None,
            }
        )
    return found


numbers = st.one_of(st.none(), st.decimals(-10, 400, places=2))
any_row = st.fixed_dictionaries(
    {
        "sex": st.sampled_from(["female", "male", "x", None]),
        "ill": st.sampled_from(["present", "absent", None]),
        "weight": numbers,
        "height": numbers,
        "months": numbers,
    }
)
corners = st.fixed_dictionaries(
    {
        "sex": st.sampled_from(["female", None]),
        "ill": st.sampled_from(["present", "absent"]),
        "weight": st.sampled_from([None, Decimal(0), Decimal(90), Decimal(200)]),
        "height": st.sampled_from([None, Decimal(0), Decimal(170), Decimal(300)]),
        "months": st.sampled_from([None, Decimal(1), Decimal(30)]),
    }
)
rows = st.one_of(any_row, corners)


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: type(asked).__name__)
@given(others=st.lists(rows, max_size=5), one=rows, other=rows)
def test_replacing_one_patients_row_moves_the_figure_by_no_more_than_its_bound(
    asked: Protected, others: list[Row], one: Row, other: Row
) -> None:
    figure = figure_of(asked, VARIABLES)
    before, after = (columns([*others, row]) for row in (one, other))
    if isinstance(figure, QuantileFigure):
        for shift in (0, 7, -7):
            scores = [-np.abs(figure.signed(each) + shift) for each in (before, after)]
            assert int(np.abs(scores[0] - scores[1]).max()) ** 2 <= figure.bound_squared
        return
    exact = [figure.exact(each) for each in (before, after)]  # type: ignore[attr-defined]
    moved = sum((left - right) ** 2 for left, right in zip(*exact, strict=True))
    assert moved <= figure.bound_squared
    assert len(exact[0]) == len(figure.labels)


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: type(asked).__name__)
def test_bound_is_reached_or_nearly_so(asked: Protected) -> None:
    """No noise is wasted on changes that cannot be."""
    low: Row = {
        "sex": "male",
        "ill": "absent",
        "weight": Decimal(0),
        "height": Decimal(0),
        "months": Decimal(1),
    }
    high: Row = {
        "sex": "female",
        "ill": "present",
        "weight": Decimal(999),
        "height": Decimal(999),
        "months": Decimal(9),
    }
    figure = figure_of(asked, VARIABLES)
    left, right = (columns([row]) for row in (low, high))
    if isinstance(figure, QuantileFigure):
        ends = [np.abs(figure.signed(each)) for each in (left, right)]
        moved = int(np.abs(ends[0] - ends[1]).max()) ** 2
        assert moved >= figure.bound_squared / 4  # one side of the quantile or the other
        return
    exact = [figure.exact(each) for each in (left, right)]  # type: ignore[attr-defined]
    moved = sum((one - other) ** 2 for one, other in zip(*exact, strict=True))
    assert moved >= 0.99 * figure.bound_squared


def test_regression_bound_holds_over_a_dense_grid() -> None:
    ends = np.linspace(-1, 1, 21)
    a, b, c, d = np.meshgrid(ends, ends, ends, ends)
    moved = (
        (a - c) ** 2 + (b - d) ** 2 + (a**2 - c**2) ** 2 + (a * b - c * d) ** 2 + (b**2 - d**2) ** 2
    )  # fmt: skip
    assert moved.max() == pytest.approx(8.0)


def test_one_patient_twice_is_an_error_and_not_a_number() -> None:
    with pytest.raises(ContributionUnbounded):
        Columns(VARIABLES, [Pseudonym("a"), Pseudonym("a")], people(2), candidates=2)


def truth_of_mean(found: list[Row]) -> float:
    values = [min(max(float(row["weight"]), 40), 140) for row in found]  # type: ignore[arg-type]
    return sum(values) / len(values)


def truth_of_line(found: list[Row]) -> tuple[float, float]:
    both = [(float(row["height"]), float(row["weight"])) for row in found if row["height"] is not None]  # type: ignore[arg-type]
    x, y = (
        np.clip([pair[place] for pair in both], *ends) for place, ends in ((0, (140, 200)), (1, (40, 140)))
    )
    slope, intercept = np.polyfit(x, y, 1)
    return float(slope), float(intercept)


def truth_of_survival(found: list[Row], grid: Sequence[float]) -> list[float]:
    """Kaplan-Meier by its definition, over times put to the ends of their intervals."""
    share, curve = 1.0, []
    known = [(float(row["months"]), row["ill"] == "present") for row in found if row["months"] is not None]  # type: ignore[arg-type]
    for start, end in zip((0.0, *grid[:-1]), grid, strict=True):
        at_risk = sum(time >= start for time, _ in known)
        events = sum(start <= time < end and ill for time, ill in known)
        share *= 1 - events / at_risk
        curve.append(share)
    return curve


def holds(found: list[Row], asked: Protected, name: str, truth: float, slack: float = 0.0) -> float:
    """How often in 300 draws the bar of an estimate holds the truth."""
    figure, data = figure_of(asked, VARIABLES), columns(found)
    tries, held = 300, 0
    for _ in range(tries):
        estimate = next(each for each in figure.draw(data, RHO).estimates if each.name == name)
        held += float(estimate.low) - slack <= truth <= float(estimate.high) + slack
    return held / tries


# 95 % less six standard errors of 300 draws: right bars fail once in 10^9 runs.
LEAST = 0.95 - 6 * math.sqrt(0.95 * 0.05 / 300)


def test_bar_of_a_mean_holds_the_mean() -> None:
    found = people(600)
    assert holds(found, Mean("m", WEIGHT), "mean", truth_of_mean(found), 0.0005) > LEAST
    assert holds(found, Mean("m", WEIGHT), "patients", 600) > LEAST


def test_bar_of_a_median_holds_it_to_a_step_of_the_grid() -> None:
    found = people(600)
    median = float(np.median([float(row["weight"]) for row in found]))  # type: ignore[arg-type]
    assert holds(found, Quantile("q", WEIGHT, "0.5"), "quantile", median, 0.5) > LEAST


def test_bars_of_a_line_hold_the_line() -> None:
    found = people(3_000)
    slope, intercept = truth_of_line(found)
    asked = Regression("r", WEIGHT, HEIGHT)
    # The predictor is put on a grid of a thousandth of half its range, which moves the line a little.
    assert holds(found, asked, "slope", slope, 0.005) > LEAST
    assert holds(found, asked, "intercept", intercept, 1.0) > LEAST


def test_band_of_a_survival_curve_holds_the_curve_at_each_time() -> None:
    found = people(800)
    asked = ASKED[-1]
    curve = truth_of_survival(found, (6, 12, 18, 24))
    for time, share in zip(("6", "12", "24"), (curve[0], curve[1], curve[3]), strict=True):
        assert holds(found, asked, f"at {time}", share, 0.0001) > LEAST


def test_estimates_of_many_patients_are_near_the_truth() -> None:
    found = people(20_000)
    data, rho = columns(found), NanoRho(500_000_000)

    def drawn(asked: Protected) -> dict[str, float]:
        return {
            each.name: float(each.value) for each in figure_of(asked, VARIABLES).draw(data, rho).estimates
        }

    # Each tolerance is more than ten times the noise's standard deviation.
    assert drawn(Mean("m", WEIGHT))["mean"] == pytest.approx(truth_of_mean(found), abs=0.1)
    line = drawn(Regression("r", WEIGHT, HEIGHT))
    assert line["slope"] == pytest.approx(truth_of_line(found)[0], abs=0.05)
    curve = drawn(ASKED[-1])
    assert list(curve.values()) == pytest.approx(truth_of_survival(found, (6, 12, 18, 24)), abs=0.02)
    assert list(curve.values()) == sorted(curve.values(), reverse=True)
    exact = figure_of(ASKED[2], VARIABLES).exact(data)  # type: ignore[attr-defined]
    assert sum(exact) == 20_000
    margins = drawn(ASKED[2])
    assert margins["row female"] == pytest.approx(10_000, abs=50)
    assert sum(margins[f"column {level}"] for level in ("present", "absent")) == pytest.approx(
        20_000, abs=100
    )


@pytest.mark.parametrize("asked", ASKED[3:], ids=lambda asked: type(asked).__name__)
def test_estimates_of_nobody_are_empty_or_as_wide_as_the_bounds(asked: Protected) -> None:
    figure = figure_of(asked, VARIABLES)
    for _ in range(20):
        for estimate in figure.draw(columns([]), NanoRho(1_000_000)).estimates:
            if estimate.name == "quantile":
                assert (float(estimate.low), float(estimate.high)) != (estimate.value, estimate.value)
            elif estimate.value:
                assert float(estimate.low) <= float(estimate.value) <= float(estimate.high)


def test_participants_are_those_taken_and_those_left_of_all_candidates() -> None:
    drawn = ParticipantsFigure().draw(columns(people(100), candidates=400), NanoRho(10**9))
    assert abs(drawn.values[0] - 100) <= 4 * drawn.error_95
    assert abs(drawn.values[1] - 300) <= 4 * drawn.error_95


@pytest.mark.parametrize(
    ("figure", "error"),
    [
        (MeanFigure(Mean("m", WEIGHT)), lambda drawn: _width(drawn, "mean") / 2),
        (RegressionFigure(Regression("r", WEIGHT, HEIGHT)), lambda drawn: _width(drawn, "slope") / 2),
        (SurvivalFigure(ASKED[-1]), lambda drawn: _width(drawn, "at 24") / 2),  # type: ignore[arg-type]
    ],
    ids=["mean", "regression", "survival"],
)
def test_expected_error_is_of_the_size_that_a_thousand_patients_get(
    figure: Figure, error: Callable[[Any], float]
) -> None:
    found = people(1_100)
    for place, row in enumerate(found):
        row["months"] = Decimal(place % 60)
        row["height"] = Decimal(140 + place % 61)
    actual = error(figure.draw(columns(found), RHO))
    assert figure.expected(RHO).error / 3 < actual < figure.expected(RHO).error * 3


def _width(drawn: Any, name: str) -> float:
    estimate = next(each for each in drawn.estimates if each.name == name)
    return float(estimate.high) - float(estimate.low)


def test_same_answer_has_the_same_bars() -> None:
    figure = RegressionFigure(Regression("r", WEIGHT, HEIGHT))
    noisy = NoisyVector((500_000_000, 3_000, 2_000, 90_000_000, 70_000_000, 80_000_000), 5e6, 10_000_000)
    assert figure.estimates(noisy) == figure.estimates(noisy)


@pytest.mark.parametrize("bound", [1, 2, 10**4, 8 * 10**12, 10**18])
def test_coarser_vector_costs_no_more_and_is_hardly_noisier(bound: int) -> None:
    """Rounding moves each number of a vector by half a step: the stated bound must cover that, too."""
    noisy = gaussian([7] * 6, bound, RHO)
    least = math.sqrt(bound * 1e9 / (2 * RHO))
    assert least <= noisy.sigma * (1 + 1e-12) <= least * 1.04
    assert noisy.error_95 == error_of(bound, 6, RHO)


@given(
    st.lists(st.integers(-(10**15), 10**15), min_size=6, max_size=6),
    st.lists(st.floats(-1, 1), min_size=6, max_size=6),
)
def test_rounded_vectors_differ_by_no_more_than_the_rounded_bound(
    vector: list[int], moves: list[float]
) -> None:
    norm = math.sqrt(sum(move * move for move in moves)) or 1.0
    bound = 10**7
    moved = [
        place + math.trunc(bound * move / max(norm, 1.0)) for place, move in zip(vector, moves, strict=True)
    ]
    grain = grain_of(bound**2, 6)
    coarse = [[(each + grain.step // 2) // grain.step for each in side] for side in (vector, moved)]
    assert sum((a - b) ** 2 for a, b in zip(*coarse, strict=True)) <= grain.bound_squared
