"""What was measured, as rows of ``bench/results.json``, and the check of that file's shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from rich.table import Table

NUMBER: Final = (int, float)
FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "name": (str,),
    "value": NUMBER,
    "unit": (str,),
    "reference": (*NUMBER, type(None)),
    "ratio": (*NUMBER, type(None)),
    "goal": (str, type(None)),
    "met": (bool, type(None)),
    "commit": (str,),
}
MACHINE: Final[dict[str, tuple[type, ...]]] = {
    "cpus": (int,),
    "cpu": (str,),
    "memory_mib": (int,),
    "python": (str,),
    "load_before": NUMBER,
}


class ResultsMalformed(Exception):
    """The results file has not the shape that its readers rely on."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row. ``goal`` is text for people; a row without one explains another and has no ``met``.

    ``commit``: what was measured; empty while it is not written down.
    """

    name: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    goal: str | None = None
    met: bool | None = None
    commit: str = ""


def shown(name: str, value: float, unit: str, *, reference: float | None = None) -> Result:
    """Return a row that explains another: no goal."""
    return Result(name, _round(value), unit, reference=None if reference is None else _round(reference))


def skipped(name: str, unit: str, reason: str) -> Result:
    """Return a row for what could not be measured here, which says why."""
    return Result(f"{name}: not measured, {reason}", 0.0, unit)


def at_most(name: str, value: float, unit: str, limit: float) -> Result:
    return Result(name, _round(value), unit, goal=f"<= {limit:g} {unit}", met=value <= limit)


def at_least(name: str, value: float, unit: str, limit: float) -> Result:
    return Result(name, _round(value), unit, goal=f">= {limit:g} {unit}", met=value >= limit)


def ratio_at_most(name: str, value: float, unit: str, *, reference: float, limit: float) -> Result:
    ratio = value / reference
    return Result(
        name, _round(value), unit, _round(reference), _round(ratio), f"<= {limit:g} x", ratio <= limit
    )


def ratio_at_least(name: str, value: float, unit: str, *, reference: float, limit: float) -> Result:
    ratio = value / reference
    return Result(
        name, _round(value), unit, _round(reference), _round(ratio), f">= {limit:g} x", ratio >= limit
    )


def merged(before: Iterable[Result], now: Iterable[Result], *, commit: str) -> list[Result]:
    """Return the rows of before with those measured now, of ``commit``, in their place; new ones are last."""
    measured = {result.name: replace(result, commit=commit) for result in now}
    return [*(measured.pop(result.name, result) for result in before), *measured.values()]


def write(path: Path, results: Iterable[Result], *, machine: dict[str, Any]) -> None:
    """``machine``: of the last whole run."""
    document = {"machine": machine, "results": [asdict(result) for result in results]}
    path.write_text(json.dumps(document, indent=1) + "\n")


def read(path: Path) -> list[Result]:
    """Return the rows. Raises ResultsMalformed, naming what is wrong."""
    return read_with_machine(path)[0]


def read_with_machine(path: Path) -> tuple[list[Result], dict[str, Any]]:
    """Return the rows and the machine. Raises ResultsMalformed, naming what is wrong."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as failure:
        raise ResultsMalformed(f"{path.name} cannot be read") from failure
    if not isinstance(document, dict) or set(document) != {"machine", "results"}:
        raise ResultsMalformed("the file must have exactly: machine, results")
    _check_fields("machine", document["machine"], MACHINE)
    rows = document["results"]
    if not isinstance(rows, list) or not rows:
        raise ResultsMalformed("results must be a list and not empty")
    for row in rows:
        _check_fields("a result", row, FIELDS)
        if (row["goal"] is None) != (row["met"] is None):
            raise ResultsMalformed(f"{row['name']}: a goal needs 'met', and 'met' needs a goal")
        if not row["commit"]:
            raise ResultsMalformed(f"{row['name']}: nothing says which commit it was measured of")
    names = [row["name"] for row in rows]
    if len(set(names)) != len(names):
        raise ResultsMalformed("two results have one name")
    return [Result(**row) for row in rows], document["machine"]


def table(results: Sequence[Result]) -> Table:
    """Unmet goals first, then met ones, then what only explains."""
    found = Table(box=None, pad_edge=False)
    for column in ("", "work", "value", "reference", "ratio", "goal"):
        found.add_column(column, justify="left" if column in {"", "work"} else "right")
    for result in sorted(results, key=_urgency):
        found.add_row(
            {True: "met", False: "UNMET", None: ""}[result.met],
            result.name,
            f"{result.value:g} {result.unit}",
            "" if result.reference is None else f"{result.reference:g} {result.unit}",
            "" if result.ratio is None else f"{result.ratio:g}",
            result.goal or "",
        )
    return found


def _urgency(result: Result) -> int:
    return {False: 0, True: 1, None: 2}[result.met]


def _check_fields(what: str, value: object, wanted: dict[str, tuple[type, ...]]) -> None:
    if not isinstance(value, dict) or set(value) != set(wanted):
        raise ResultsMalformed(f"{what} must have exactly: {', '.join(wanted)}")
    for name, kinds in wanted.items():
        found = value[name]
        # bool is an int in Python, and a measured value is never one.
        if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
            raise ResultsMalformed(f"{what}: {name} has the wrong type")


def _round(value: float) -> float:
    """Four significant digits: what is measured here is not known better."""
    return float(f"{value:.4g}") if abs(value) < 1000 else round(value)
