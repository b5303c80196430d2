"""The generalisation hierarchy of a study's variable, as lines from a value to '*'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from backend.research.us_states import STATE_LINES
from backend.research.variables import MISSING, OTHER, Kind, Value, Variable

TOP = "*"


def with_missing(lines: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """The lines with MISSING as one more value, directly under '*'."""
    found = [tuple(line) for line in lines]
    if found and all(line[0] != MISSING for line in found):
        found.append((*[MISSING] * (len(found[0]) - 1), TOP))
    return found


def lines_of(variable: Variable) -> list[tuple[str, ...]]:
    """The lines of a study's variable, over its public domain and MISSING."""
    return with_missing(list(_BUILDERS.get(variable.kind, _flat)(variable)))


def leaf_of(variable: Variable, value: Value) -> str:
    """The first entry of the line in ``lines_of(variable)`` that an extracted value belongs to."""
    if value is None:
        return MISSING
    if variable.kind not in (Kind.AGE, Kind.BIRTH_YEAR):
        return variable.level_of(value)
    low, high = int(variable.edges[0]), int(variable.edges[-1])
    year = int(value)
    return f"<{low}" if year < low else f">={high}" if year >= high else str(year)


def _flat(variable: Variable) -> Iterable[tuple[str, ...]]:
    return ((level, TOP) for level in variable.domain if level != MISSING)


def _years(variable: Variable) -> Iterable[tuple[str, ...]]:
    """Single years, then spans of 5, 10 and 20 on multiples of those; the open ends stand alone."""
    low, high = int(variable.edges[0]), int(variable.edges[-1])

    def span(year: int, width: int) -> str:
        start = year - year % width
        first, last = max(start, low), min(start + width, high) - 1
        return str(first) if first == last else f"{first}-{last}"

    yield (*[f"<{low}"] * 4, TOP)
    for year in range(low, high):
        yield (str(year), span(year, 5), span(year, 10), span(year, 20), TOP)
    yield (*[f">={high}"] * 4, TOP)


def _postal(variable: Variable) -> Iterable[tuple[str, ...]]:
    del variable
    for number in range(1_000):
        code = f"{number:03d}"
        yield (code, f"{code[:2]}*", f"{code[0]}**", TOP)
    yield (OTHER, OTHER, OTHER, TOP)


def _states(variable: Variable) -> Iterable[tuple[str, ...]]:
    del variable
    yield from STATE_LINES
    yield (OTHER, OTHER, OTHER, TOP)


_BUILDERS: dict[Kind, Callable[[Variable], Iterable[tuple[str, ...]]]] = {
    Kind.AGE: _years,
    Kind.BIRTH_YEAR: _years,
    Kind.POSTAL_REGION: _postal,
    Kind.STATE: _states,
}
