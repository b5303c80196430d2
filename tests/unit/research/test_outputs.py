"""What may be asked: every field is checked and named, and what is stored reads back as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.research.errors import StudyDamaged, StudyInvalid
from backend.research.output_rules import validate_output
from backend.research.outputs import (
    Bounds,
    Contingency,
    Count,
    Filter,
    Histogram,
    Mean,
    Output,
    Quantile,
    Regression,
    Survival,
    Table,
    Threshold,
    as_json,
)
from backend.research.plan import plan
from backend.research.study import Proposal, propose
from backend.research.study_json import proposal_from_json
from backend.research.variables import Kind, Role, Variable

VARIABLES = (
    Variable("sex", Kind.SEX, Role.QUASI),
    Variable("region", Kind.POSTAL_REGION, Role.QUASI),
    Variable("ill", Kind.CONDITION, system="s", code="1"),
    Variable("weight", Kind.VITAL_SIGN, system="s", code="2", unit="kg", edges=("40", "80", "120")),
    Variable("height", Kind.VITAL_SIGN, system="s", code="3", unit="cm", edges=("150", "170", "190")),
)
ILL = Filter("ill", ("present",))
WEIGHT, HEIGHT = Bounds("weight", "40.5", "140.5", 1), Bounds("height", "140", "200")
MEAN = Mean("mean", WEIGHT, (ILL,))
QUANTILE = Quantile("quantile", WEIGHT, "0.5", 250)
REGRESSION = Regression("line", WEIGHT, HEIGHT)
SURVIVAL = Survival("curve", "weight", ILL, ("6", "12.5", "24"))
RIGHT: tuple[Output, ...] = (
    Count("count", (ILL,)),
    Histogram("histogram", "sex"),
    Contingency("pairs", "sex", "ill", (ILL,)),
    MEAN,
    QUANTILE,
    REGRESSION,
    SURVIVAL,
    Threshold(Count("exact", (ILL,))),
    Threshold(Contingency("exact_pairs", "sex", "ill")),
    Table("table", ("sex", "ill")),
)


def bounds(**changes: Any) -> Mean:
    return replace(MEAN, of=replace(WEIGHT, **changes))


@pytest.mark.parametrize(
    ("output", "field"),
    [
        (Histogram("x", "age"), "variable"),
        (Contingency("x", "age", "ill"), "rows"),
        (Contingency("x", "ill", "age"), "columns"),
        (Contingency("x", "ill", "ill"), "columns"),
        (Contingency("x", "region", "region"), "columns"),
        (Contingency("x", "region", "sex"), "columns"),  # too many cells
        (bounds(variable="age"), "of.variable"),
        (bounds(variable="sex"), "of.variable"),
        (bounds(lower="a"), "of.lower"),
        (bounds(lower="NaN"), "of.lower"),
        (bounds(lower="1e2"), "of.lower"),
        (bounds(lower="40.55"), "of.lower"),
        (bounds(upper="140.55"), "of.upper"),
        (bounds(upper="40.5"), "of.upper"),
        (bounds(upper="1000000000"), "of.upper"),
        (bounds(decimals=7), "of.decimals"),
        (bounds(lower="-999999999", upper="999999999"), "of.upper"),
        (replace(QUANTILE, step="0"), "step"),
        (replace(QUANTILE, step="0.05"), "step"),
        (replace(QUANTILE, step="0.3"), "step"),  # does not lead to the upper bound
        (replace(QUANTILE, step="-0.5"), "step"),
        (replace(QUANTILE, of=Bounds("weight", "0", "100000"), step="1"), "step"),
        (replace(QUANTILE, per_mille=0), "per_mille"),
        (replace(QUANTILE, per_mille=1000), "per_mille"),
        (replace(QUANTILE, of=replace(WEIGHT, variable="sex")), "of.variable"),
        (replace(REGRESSION, outcome=replace(WEIGHT, variable="ill")), "outcome.variable"),
        (replace(REGRESSION, predictor=replace(HEIGHT, lower="")), "predictor.lower"),
        (replace(REGRESSION, predictor=WEIGHT), "predictor"),
        (replace(SURVIVAL, time="ill"), "time"),
        (replace(SURVIVAL, event=Filter("ill", ("missing",))), "event"),
        (replace(SURVIVAL, grid=()), "grid"),
        (replace(SURVIVAL, grid=("0", "1")), "grid"),
        (replace(SURVIVAL, grid=("2", "1")), "grid"),
        (replace(SURVIVAL, grid=("1", "1")), "grid"),
        (replace(SURVIVAL, grid=tuple(str(time + 1) for time in range(201))), "grid"),
        (replace(MEAN, where=(Filter("ill", ()),)), "where"),
        (replace(MEAN, where=(ILL,) * 9), "where"),
        (Threshold(Histogram("x", "age")), "variable"),
        (Table("x", ("ill",)), "variables"),
        (Table("x", ("sex",), k=4), "k"),
    ],
    ids=repr,
)
def test_output_that_is_wrong_is_refused_by_the_name_of_its_field(output: Output, field: str) -> None:
    variables = {variable.name: variable for variable in VARIABLES}
    with pytest.raises(StudyInvalid) as refused:
        validate_output(output, variables, field="outputs.3")
    assert refused.value.field == f"outputs.3.{field}"


def test_proposal_with_every_output_reads_back_and_has_a_price_for_each_protected_one(
    proposal_with: Callable[..., Proposal],
) -> None:
    proposal = proposal_with(variables=VARIABLES, outputs=RIGHT)
    propose(proposal)
    assert proposal_from_json(proposal.as_json()) == proposal
    made = plan(proposal, delta_exponent=6)
    assert [question.name for question in made.questions[1:]] == [output.name for output in RIGHT[:7]]
    assert all(question.expected.error > 0 and question.expected_error > 0 for question in made.questions)
    assert len({question.answer_id(b"s" * 32, b"n" * 32) for question in made.questions}) == 8  # type: ignore[arg-type]


@pytest.mark.parametrize("output", [Threshold(Count("x")), MEAN], ids=["threshold", "mean"])
def test_stored_output_that_nobody_would_have_written_is_damage(
    output: Output, proposal_with: Callable[..., Proposal]
) -> None:
    document = proposal_with(variables=VARIABLES, outputs=(output,)).as_json()
    item = document["outputs"][0]
    for changed in (
        {**item, "where": 7, "threshold": {"mean": ["a", "b", "c", 1], "where": []}},
        {"name": "x"},
        {**item, "more": 1},
    ):
        with pytest.raises(StudyDamaged):
            proposal_from_json({**document, "outputs": [changed]})


def test_questions_that_differ_in_order_or_name_only_are_one() -> None:
    one = Mean("a", WEIGHT, (ILL, Filter("sex", ("male", "female"))))
    other = Mean("b", WEIGHT, (Filter("sex", ("female", "male")), ILL))
    assert as_json(one) == as_json(other)
    assert as_json(one) != as_json(bounds(upper="120.5"))
