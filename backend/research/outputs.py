"""What a study may ask for: protected figures, exact figures of large groups, a k-anonymous table, or the
de-identified records of single patients.

All bounds, edges, grids and levels are constants of the signed proposal and never follow from data. Numbers
are decimal strings in the unit of their variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MINIMUM_K = 5


@dataclass(frozen=True, slots=True)
class Filter:
    """A patient passes when the level of ``variable`` is one of ``levels`` (public levels only)."""

    variable: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """A numeric variable and the range that its values are clamped to, in steps of 10^-``decimals``."""

    variable: str
    lower: str
    upper: str
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """How many patients pass every filter (none: how many take part)."""

    name: str
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many patients are in each public level of a variable, among those that pass every filter."""

    name: str
    variable: str
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Contingency:
    """How many patients are in each pair of levels of two variables."""

    name: str
    rows: str
    columns: str
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a clamped variable over patients with a value."""

    name: str
    of: Bounds
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Quantile:
    """The value below which ``per_mille`` of those with a value lie: one of lower, lower + step, ..."""

    name: str
    of: Bounds
    step: str
    per_mille: int = 500
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Regression:
    """Least squares of one clamped variable on another, over patients with both."""

    name: str
    outcome: Bounds
    predictor: Bounds
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Survival:
    """Kaplan-Meier: the share without the event at each time of ``grid`` (ascending, above 0).

    ``time`` is a numeric variable: when the event was, or when the patient was last seen without it. A
    patient passes ``event`` when it happened.
    """

    name: str
    time: str
    event: Filter
    grid: tuple[str, ...]
    where: tuple[Filter, ...] = ()


Exact = Count | Histogram | Contingency


@dataclass(frozen=True, slots=True)
class Threshold:
    """Exact figures of large groups only, rounded, without noise: outside of the promise of epsilon.

    The board's permit covers exactly this list; the minimum cell and the rounding are the server's.
    """

    of: Exact

    @property
    def name(self) -> str:
        return self.of.name


@dataclass(frozen=True, slots=True)
class Table:
    """One row a patient. ``suppression_millionths`` is the largest share of patients that may be left out."""

    name: str
    variables: tuple[str, ...]
    k: int = MINIMUM_K
    suppression_millionths: int = 40_000


@dataclass(frozen=True, slots=True)
class Records:
    """De-identified FHIR R4 resources, patient by patient, of these consent categories (codes of a table)."""

    name: str
    categories: tuple[str, ...]


Protected = Count | Histogram | Contingency | Mean | Quantile | Regression | Survival
Output = Protected | Threshold | Table | Records


def as_json(output: Output) -> dict[str, Any]:
    """The output as canonical-JSON material; equal questions give equal JSON whatever their names.

    Filters and their levels are sorted, so that the order in which they were written does not matter.
    """
    match output:
        case Table():
            return {
                "table": list(output.variables),
                "k": output.k,
                "suppression": output.suppression_millionths,
            }
        case Records():
            return {"fhir": sorted(output.categories)}
        case Threshold():
            return {"threshold": as_json(output.of)}
        case Count():
            return {"count": _where(output.where)}
        case Histogram():
            asked: dict[str, Any] = {"histogram": output.variable}
        case Contingency():
            asked = {"contingency": [output.rows, output.columns]}
        case Mean():
            asked = {"mean": _bounds(output.of)}
        case Quantile():
            asked = {"quantile": _bounds(output.of), "step": output.step, "per_mille": output.per_mille}
        case Regression():
            asked = {"regression": _bounds(output.outcome), "on": _bounds(output.predictor)}
        case Survival():
            event = [output.event.variable, sorted(output.event.levels)]
            asked = {"survival": output.time, "event": event, "grid": list(output.grid)}
    return {**asked, "where": _where(output.where)}


def from_json(name: str, item: Mapping[str, Any]) -> Output:
    """Inverse of ``as_json``. Raises KeyError, TypeError or ValueError for what it would not have written."""
    if "table" in item:
        return Table(name, tuple(item["table"]), item["k"], item["suppression"])
    if "fhir" in item:
        return Records(name, tuple(item["fhir"]))
    if "threshold" in item:
        exact = from_json(name, item["threshold"])
        if not isinstance(exact, Exact):
            raise TypeError("not an exact figure")
        return Threshold(exact)
    if "count" in item:
        return Count(name, _filters(item["count"]))
    where = _filters(item["where"])
    if "histogram" in item:
        return Histogram(name, item["histogram"], where)
    if "contingency" in item:
        rows, columns = item["contingency"]
        return Contingency(name, rows, columns, where)
    if "mean" in item:
        return Mean(name, Bounds(*item["mean"]), where)
    if "quantile" in item:
        return Quantile(name, Bounds(*item["quantile"]), item["step"], item["per_mille"], where)
    if "regression" in item:
        return Regression(name, Bounds(*item["regression"]), Bounds(*item["on"]), where)
    variable, levels = item["event"]
    event = Filter(variable, tuple(levels))
    return Survival(name, item["survival"], event, tuple(item["grid"]), where)


def _where(filters: tuple[Filter, ...]) -> list[list[Any]]:
    return sorted([condition.variable, sorted(condition.levels)] for condition in filters)


def _bounds(bounds: Bounds) -> list[Any]:
    return [bounds.variable, bounds.lower, bounds.upper, bounds.decimals]


def _filters(items: list[list[Any]]) -> tuple[Filter, ...]:
    return tuple(Filter(name, tuple(levels)) for name, levels in items)
