"""Generalisation hierarchies: from a value, through ever wider groups, to '*'.

Text form (the one ARX uses): a line a value, ``value;group;wider group;*``, all lines equally long.
Inside, values are numbered in depth-first order, so that every group is one interval of codes; then the
smallest group over a set of codes follows from its least and greatest code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.errors import HierarchyInvalid, ValueOutsideDomain
from backend.research.us_states import STATE_LINES
from backend.research.variables import MISSING, OTHER, Kind, Value, Variable

TOP = "*"
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """``node[depth, code]`` numbers the group of a code at a depth (0: '*', the last: the value itself).

    ``label[depth][node]`` is its published text, ``leaves[depth, code]`` how many values it stands for.
    """

    name: str
    code_of: dict[str, int]
    node: NDArray[np.int32]
    leaves: NDArray[np.int32]
    label: tuple[tuple[str, ...], ...]

    @property
    def depth(self) -> int:
        return int(self.node.shape[0])

    @property
    def size(self) -> int:
        return int(self.node.shape[1])

    def encode(self, values: Iterable[str]) -> Codes:
        """Codes of values; raises ValueOutsideDomain for one that the hierarchy does not have."""
        try:
            return np.array([self.code_of[value] for value in values], dtype=np.int32)
        except KeyError:
            # The value itself stays out of the text: it may be a patient's.
            raise ValueOutsideDomain(f"column {self.name}", field=self.name) from None

    def loss(self) -> NDArray[np.float64]:
        """``[depth, code]``: (leaves - 1) / (domain - 1), the normalised certainty penalty of a cell."""
        return (self.leaves - 1) / max(self.size - 1, 1)


def from_lines(name: str, lines: Sequence[Sequence[str]], *, nullable: bool = False) -> Hierarchy:
    """Build a hierarchy from (value, ..., '*') lines; with ``nullable``, MISSING is one more value under '*'.

    Raises HierarchyInvalid when lines differ in length, do not end in '*', repeat a value, or give one label
    two meanings (then a reader could not tell what a published label stands for).
    """
    if nullable:
        lines = with_missing(lines)
    if not lines or len({len(line) for line in lines}) != 1 or any(line[-1] != TOP for line in lines):
        raise HierarchyInvalid(f"hierarchy {name}", field=name)
    if len({line[0] for line in lines}) != len(lines):
        raise HierarchyInvalid(f"hierarchy {name} repeats a value", field=name)
    rank: dict[tuple[str, ...], int] = {}
    for line in lines:
        for end in range(len(line)):
            rank.setdefault(tuple(reversed(line[end:])), len(rank))
    paths = [tuple(reversed(line)) for line in lines]
    paths.sort(key=lambda path: [rank[path[: end + 1]] for end in range(len(path))])
    node = np.empty((len(paths[0]), len(paths)), dtype=np.int32)
    labels: list[tuple[str, ...]] = []
    for level in range(len(paths[0])):
        numbers: dict[tuple[str, ...], int] = {}
        node[level] = [numbers.setdefault(path[: level + 1], len(numbers)) for path in paths]
        labels.append(tuple(path[-1] for path in numbers))
    leaves = np.stack([np.bincount(row)[row] for row in node]).astype(np.int32)
    hierarchy = Hierarchy(
        name, {path[-1]: code for code, path in enumerate(paths)}, node, leaves, tuple(labels)
    )
    _refuse_ambiguous(hierarchy)
    return hierarchy


def from_text(name: str, text: str, *, delimiter: str = ";", nullable: bool = False) -> Hierarchy:
    """Read the text form; raises HierarchyInvalid."""
    lines = [tuple(line.split(delimiter)) for line in text.splitlines() if line.strip()]
    return from_lines(name, lines, nullable=nullable)


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


def _refuse_ambiguous(hierarchy: Hierarchy) -> None:
    meaning: dict[str, tuple[int, int]] = {}
    for row, labels in zip(hierarchy.node, hierarchy.label, strict=True):
        for number, label in enumerate(labels):
            codes = np.flatnonzero(row == number)
            span = (int(codes[0]), int(codes[-1]))
            if meaning.setdefault(label, span) != span:
                raise HierarchyInvalid(f"hierarchy {hierarchy.name} uses a label twice", field=hierarchy.name)


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
