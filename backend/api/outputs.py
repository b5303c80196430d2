"""Bodies of what a study may ask for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backend.api.schemas import Body, Code
from backend.research.errors import StudyInvalid
from backend.research.outputs import (
    Bounds,
    Contingency,
    Count,
    Exact,
    Filter,
    Histogram,
    Mean,
    Output,
    Quantile,
    Records,
    Regression,
    Survival,
    Table,
    Threshold,
)

Name = Annotated[str, Field(max_length=40)]
Number = Annotated[str, Field(max_length=30, description="a decimal number")]


class FilterBody(Body):
    variable: Name
    levels: Annotated[list[str], Field(min_length=1, max_length=1100)]


class BoundsBody(Body):
    """A numeric variable, and the public range that its values are moved into."""

    variable: Name
    lower: Number
    upper: Number
    decimals: int = Field(default=0, ge=0, le=6)


class OutputBody(Body):
    """A protected figure, an exact figure of large groups (``threshold_...``: outside of the promise of
    epsilon, and only as the board's permit lists it), a k-anonymous table of ``variables``, or ``fhir``: the
    de-identified records of single patients, of the consent ``categories`` named (outside of that promise,
    too; only of patients who allow research to take them out, and only with a permit that lists them).

    ``count``; ``histogram`` of ``variable``; ``contingency`` of ``rows`` and ``columns``; ``mean`` of ``of``;
    ``quantile`` of ``of`` at ``per_mille`` in steps of ``step``; ``regression`` of ``outcome`` on
    ``predictor``; ``survival`` over ``time`` until ``event`` at the times of ``grid``.
    """

    kind: Literal[
        "count",
        "histogram",
        "contingency",
        "mean",
        "quantile",
        "regression",
        "survival",
        "threshold_count",
        "threshold_histogram",
        "threshold_contingency",
        "table",
        "fhir",
    ]
    name: Name
    variable: Name = ""
    rows: Name = ""
    columns: Name = ""
    of: BoundsBody | None = None
    step: Number = ""
    per_mille: int = Field(default=500, ge=1, le=999)
    outcome: BoundsBody | None = None
    predictor: BoundsBody | None = None
    time: Name = ""
    event: FilterBody | None = None
    grid: Annotated[list[Number], Field(max_length=200)] = []
    variables: Annotated[list[str], Field(max_length=40)] = []
    where: Annotated[list[FilterBody], Field(max_length=8)] = []
    k: int = Field(default=5, ge=5, le=1000)
    categories: Annotated[list[Code], Field(max_length=64)] = []


def output_of(body: OutputBody) -> Output:
    """Raises StudyInvalid for a missing part; the rest is checked with the whole proposal."""
    where = tuple(_filter(item) for item in body.where)
    match body.kind:
        case "count" | "histogram" | "contingency":
            return _exact(body.kind, body, where)
        case "threshold_count" | "threshold_histogram" | "threshold_contingency":
            return Threshold(_exact(body.kind.removeprefix("threshold_"), body, where))
        case "mean":
            return Mean(body.name, _bounds(body.of, "of"), where)
        case "quantile":
            return Quantile(body.name, _bounds(body.of, "of"), body.step, body.per_mille, where)
        case "regression":
            outcome, predictor = _bounds(body.outcome, "outcome"), _bounds(body.predictor, "predictor")
            return Regression(body.name, outcome, predictor, where)
        case "survival":
            if body.event is None:
                raise StudyInvalid("a survival curve needs its event", field="outputs.event")
            return Survival(body.name, body.time, _filter(body.event), tuple(body.grid), where)
        case "table":
            return Table(body.name, tuple(body.variables), body.k)
        case "fhir":
            return Records(body.name, tuple(sorted(body.categories)))


def _exact(kind: str, body: OutputBody, where: tuple[Filter, ...]) -> Exact:
    if kind == "count":
        return Count(body.name, where)
    if kind == "histogram":
        return Histogram(body.name, body.variable, where)
    return Contingency(body.name, body.rows, body.columns, where)


def _filter(body: FilterBody) -> Filter:
    return Filter(body.variable, tuple(body.levels))


def _bounds(body: BoundsBody | None, name: str) -> Bounds:
    if body is None:
        raise StudyInvalid("name a variable with its bounds", field=f"outputs.{name}")
    return Bounds(body.variable, body.lower, body.upper, body.decimals)
