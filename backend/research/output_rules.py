"""Which outputs a proposal may have: every field is checked, and the error names it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Final

from backend.consent.tables import load_tables
from backend.research.errors import StudyInvalid
from backend.research.outputs import (
    MINIMUM_K,
    Bounds,
    Contingency,
    Count,
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
from backend.research.time_to_event import EVENT
from backend.research.variables import MISSING, NUMERIC, Role, Variable

MAXIMUM_K: Final = 1_000
MAX_CONDITIONS: Final = 8
MAX_CELLS: Final = 4_096
MAX_CANDIDATES: Final = 2_000
MAX_TIMES: Final = 200
MAX_DECIMALS: Final = 6
MAX_STEPS: Final = 10**9  # of a clamped range: sums over a hundred million patients stay within 64 bits

DEMOGRAPHICS: Final = "demographics"

Variables = Mapping[str, Variable]


def validate_output(output: Output, variables: Variables, *, field: str) -> None:
    """Raise StudyInvalid naming ``field`` unless the output asks only for declared variables and levels."""
    match output:
        case Table():
            _table(output, variables, field)
            return
        case Records():
            _records(output, field)
            return
        case Threshold():
            validate_output(output.of, variables, field=field)
            return
        case Count():
            pass
        case Histogram():
            _known(output.variable, variables, f"{field}.variable")
        case Contingency():
            _known(output.rows, variables, f"{field}.rows")
            _known(output.columns, variables, f"{field}.columns")
            _require(output.rows != output.columns, "two different variables", f"{field}.columns")
            cells = len(variables[output.rows].domain) * len(variables[output.columns].domain)
            _require(cells <= MAX_CELLS, f"at most {MAX_CELLS} cells", f"{field}.columns")
        case Mean():
            _bounds(output.of, variables, f"{field}.of")
        case Quantile():
            _quantile(output, variables, field)
        case Regression():
            _bounds(output.outcome, variables, f"{field}.outcome")
            _bounds(output.predictor, variables, f"{field}.predictor")
            _require(
                output.outcome.variable != output.predictor.variable,
                "two different variables",
                f"{field}.predictor",
            )
        case Survival():
            _survival(output, variables, field)
    _require(len(output.where) <= MAX_CONDITIONS, "too many filters", f"{field}.where")
    for condition in output.where:
        _filter(condition, variables, f"{field}.where")


def _table(output: Table, variables: Variables, field: str) -> None:
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
        _known(name, variables, f"{field}.variables")
    _require(
        any(variables[name].role is Role.QUASI for name in output.variables),
        "a table needs a quasi-identifier",
        f"{field}.variables",
    )


def _records(output: Records, field: str) -> None:
    known = load_tables().categories.bits
    _require(
        len(set(output.categories)) == len(output.categories) and set(output.categories) <= known.keys(),
        "name categories of the consent table, each once",
        f"{field}.categories",
    )
    # Without the Patient resource nobody can say whose a record is, nor which of its dates tell an age.
    _require(DEMOGRAPHICS in output.categories, f"needs '{DEMOGRAPHICS}'", f"{field}.categories")


def _quantile(output: Quantile, variables: Variables, field: str) -> None:
    _bounds(output.of, variables, f"{field}.of")
    _require(
        type(output.per_mille) is int and 1 <= output.per_mille <= 999,
        "1 to 999 per mille",
        f"{field}.per_mille",
    )
    step = _number(output.step, f"{field}.step")
    lower, upper = Decimal(output.of.lower), Decimal(output.of.upper)
    _require(
        step > 0 and _is_whole(step, output.of.decimals) and (upper - lower) % step == 0,
        "steps are positive, have the stated decimals and lead from the lower bound to the upper one",
        f"{field}.step",
    )
    _require((upper - lower) / step < MAX_CANDIDATES, f"at most {MAX_CANDIDATES} candidates", f"{field}.step")


def _survival(output: Survival, variables: Variables, field: str) -> None:
    _numeric(output.time, variables, f"{field}.time")
    _filter(output.event, variables, f"{field}.event")
    time, status = variables[output.time], variables[output.event.variable]
    _require(
        time.course == status.course and (time.course is None or output.event.levels == (EVENT,)),
        "a time to event goes with the level 'event' of the status of its course",
        f"{field}.event",
    )
    _require(1 <= len(output.grid) <= MAX_TIMES, f"1 to {MAX_TIMES} times", f"{field}.grid")
    times = [_number(text, f"{field}.grid") for text in output.grid]
    _require(
        times[0] > 0 and all(low < high for low, high in pairwise(times)),
        "times are above 0 and ascend",
        f"{field}.grid",
    )


def _bounds(bounds: Bounds, variables: Variables, field: str) -> None:
    _numeric(bounds.variable, variables, f"{field}.variable")
    _require(
        type(bounds.decimals) is int and 0 <= bounds.decimals <= MAX_DECIMALS,
        f"0 to {MAX_DECIMALS} decimals",
        f"{field}.decimals",
    )
    lower, upper = _number(bounds.lower, f"{field}.lower"), _number(bounds.upper, f"{field}.upper")
    _require(_is_whole(lower, bounds.decimals), "has the stated decimals", f"{field}.lower")
    _require(_is_whole(upper, bounds.decimals), "has the stated decimals", f"{field}.upper")
    steps = (upper - lower).scaleb(bounds.decimals)
    _require(2 <= steps <= MAX_STEPS, "the range has at least two and at most 10^9 steps", f"{field}.upper")


def _filter(condition: Filter, variables: Variables, field: str) -> None:
    _known(condition.variable, variables, field)
    known = set(variables[condition.variable].domain) - {MISSING}
    _require(
        bool(condition.levels)
        and len(set(condition.levels)) == len(condition.levels)
        and set(condition.levels) <= known,
        "a filter names levels of the variable's declared domain, each once",
        field,
    )


def _known(name: str, variables: Variables, field: str) -> None:
    _require(name in variables, "not a variable of the study", field)


def _numeric(name: str, variables: Variables, field: str) -> None:
    _known(name, variables, field)
    _require(variables[name].kind in NUMERIC, "not a numeric variable", field)


def _number(text: str, field: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as wrong:
        raise StudyInvalid("a decimal number", field=field) from wrong
    _require(number.is_finite() and abs(number) < 10**9, "a finite number below 10^9", field)
    _require(format(number, "f") == text, "a plain decimal number", field)
    return number


def _is_whole(number: Decimal, decimals: int) -> bool:
    scaled = number.scaleb(decimals)
    return scaled == scaled.to_integral_value()


def _require(holds: bool, detail: str, field: str) -> None:
    if not holds:
        raise StudyInvalid(detail, field=field)
