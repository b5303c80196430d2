"""What a study may ask for: counts, histograms, a k-anonymous table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.research.errors import StudyInvalid
from backend.research.variables import MISSING, Role, Variable

MINIMUM_K = 5
MAXIMUM_K = 1_000
MAX_CONDITIONS = 8


@dataclass(frozen=True, slots=True)
class Filter:
    """A patient passes when the level of ``variable`` is one of ``levels`` (public levels only)."""

    variable: str
    levels: tuple[str, ...]


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
class Table:
    """One row a patient. ``suppression_millionths`` is the largest share of patients that may be left out."""

    name: str
    variables: tuple[str, ...]
    k: int = MINIMUM_K
    suppression_millionths: int = 40_000


Output = Count | Histogram | Table


def as_json(output: Output) -> dict[str, Any]:
    """The output as canonical-JSON material; equal questions give equal JSON whatever their names.

    Filters and their levels are sorted, so that the order in which they were written does not matter.
    """
    if isinstance(output, Table):
        return {
            "table": list(output.variables),
            "k": output.k,
            "suppression": output.suppression_millionths,
        }
    where = sorted([condition.variable, sorted(condition.levels)] for condition in output.where)
    if isinstance(output, Count):
        return {"count": where}
    return {"histogram": output.variable, "where": where}


def validate_output(output: Output, variables: Mapping[str, Variable], *, field: str) -> None:
    """Raise StudyInvalid naming ``field`` unless the output asks only for declared variables and levels."""
    if isinstance(output, Table):
        _require(MINIMUM_K <= output.k <= MAXIMUM_K, f"k is {MINIMUM_K} to {MAXIMUM_K}", f"{field}.k")
        _require(
            0 <= output.suppression_millionths <= 1_000_000,
            "a share in millionths",
            f"{field}.suppression_millionths",
        )
        _require(
            bool(output.variables) and len(set(output.variables)) == len(output.variables),
            "name each column once",
            f"{field}.variables",
        )
        for name in output.variables:
            _require(name in variables, "not a variable of the study", f"{field}.variables")
        _require(
            any(variables[name].role is Role.QUASI for name in output.variables),
            "a table needs a quasi-identifier",
            f"{field}.variables",
        )
        return
    if isinstance(output, Histogram):
        _require(output.variable in variables, "not a variable of the study", f"{field}.variable")
    _require(len(output.where) <= MAX_CONDITIONS, "too many filters", f"{field}.where")
    for condition in output.where:
        _require(condition.variable in variables, "not a variable of the study", f"{field}.where")
        known = set(variables[condition.variable].domain) - {MISSING}
        _require(
            bool(condition.levels)
            and len(set(condition.levels)) == len(condition.levels)
            and set(condition.levels) <= known,
            "a filter names levels of the variable's declared domain, each once",
            f"{field}.where",
        )


def _require(holds: bool, detail: str, field: str) -> None:
    if not holds:
        raise StudyInvalid(detail, field=field)
