"""Whether lists of exact figures, held together, tell the number of a group that none of them tells alone.

Data are not looked at: the lists are held against each other before a study is permitted. What a list tells
is every sum of its cells (general trackers, Denning and Schloerer 1983), over all combinations of levels of
the attributes it names. Attributes that no figure joins stand for themselves: a group that follows from
figures about separate attributes follows from one of them. So it is enough that in each set of joined
attributes everything that one side tells follows from the other side.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import numpy as np

from backend.research.figures.differencing import Integers, rank
from backend.research.outputs import Contingency, Count, Exact, Histogram
from backend.research.variables import MISSING, OTHER, Kind, Role, Variable
from backend.research.view_variables import Source

MAX_COMBINATIONS: Final = 512  # of levels of joined attributes; with more, lists that differ overlap
_BORN: Final = frozenset({Kind.AGE, Kind.BIRTH_YEAR})
_PLACE: Final = frozenset({Kind.POSTAL_REGION, Kind.STATE, Kind.COUNTRY})


@dataclass(frozen=True, slots=True)
class FigureList:
    """The exact figures of one study, and its variables by name."""

    figures: tuple[Exact, ...]
    variables: Mapping[str, Variable]

    def used(self) -> Iterator[Variable]:
        for figure in self.figures:
            yield from (self.variables[name] for name in _names(figure))


# A cell: for each attribute that it narrows, the places of the finest levels it has.
Cell = frozenset[tuple[Variable, frozenset[int]]]


def overlap(new: FigureList, standing: Sequence[FigureList]) -> bool:
    """Tell whether a new list, together with those that stand, tells more than each side alone.

    Attributes that may be two views of one thing (an age at two dates, a place and its state) are joined.
    Where too many levels are joined to be sure, only one side's cells among the other's are no overlap.
    """
    used = [variable for found in (new, *standing) for variable in found.used()]
    attributes = list(dict.fromkeys(map(_attribute, used)))
    levels = {
        attribute: _Levels(each for each in used if _attribute(each) == attribute) for attribute in attributes
    }
    alike = [frozenset(pair) for pair in itertools.combinations(attributes, 2) if _related(*pair)]
    told = [figure for found in standing for figure in _told(found, levels)]
    asked = list(_told(new, levels))
    return any(
        _more(
            {cell for figure in asked if figure.attributes & joined for cell in figure.cells},
            {cell for figure in told if figure.attributes & joined for cell in figure.cells},
            {attribute: levels[attribute].count for attribute in joined},
        )
        for joined in _joined([*alike, *(figure.attributes for figure in (*asked, *told))])
    )


@dataclass(frozen=True, slots=True)
class _Figure:
    attributes: frozenset[Variable]
    cells: frozenset[Cell]


class _Levels:
    """The finest levels of one attribute that all its variables, with their domains, tell apart."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        found = list(variables)
        self._edges = sorted({Decimal(edge) for variable in found for edge in variable.edges})
        words = dict.fromkeys(level for variable in found for level in variable.domain)
        self._words = [word for word in words if word not in (MISSING, OTHER)]
        self.count = (len(self._edges) + 1 if self._edges else len(self._words) + 1) + 1

    def of(self, variable: Variable, level: str) -> frozenset[int]:
        """The places of a level of a variable's domain; that of ``MISSING`` is the last."""
        if level == MISSING:
            return frozenset({self.count - 1})
        if variable.edges:
            own = [Decimal(edge) for edge in variable.edges]
            # The place in the variable's own domain of the value at which each finest level begins.
            starts = [0, *(bisect_right(own, edge) for edge in self._edges)]
            wanted = variable.domain.index(level)
            return frozenset(place for place, start in enumerate(starts) if start == wanted)
        if level != OTHER:
            return frozenset({self._words.index(level)})
        rest = (place for place, word in enumerate(self._words) if word not in variable.domain)
        return frozenset({*rest, self.count - 2})


def _told(found: FigureList, levels: Mapping[Variable, _Levels]) -> Iterator[_Figure]:
    for figure in found.figures:
        variables = [found.variables[name] for name in _names(figure)]
        chosen = [_choices(figure, variable, levels[_attribute(variable)]) for variable in variables]
        cells = {_cell(zip(variables, places, strict=True)) for places in itertools.product(*chosen)}
        yield _Figure(frozenset(map(_attribute, variables)), frozenset(cells))


def _choices(figure: Exact, variable: Variable, levels: _Levels) -> list[frozenset[int]]:
    """Of one variable of a figure: each level that it is grouped by, or what its filters leave."""
    kept = frozenset(range(levels.count))
    for condition in figure.where:
        if condition.variable == variable.name:
            kept &= frozenset().union(*(levels.of(variable, level) for level in condition.levels))
    if variable.name not in _grouped(figure):
        return [kept]
    return [places for level in variable.domain if (places := levels.of(variable, level) & kept)]


def _cell(narrowed: Iterable[tuple[Variable, frozenset[int]]]) -> Cell:
    """Two variables of one attribute narrow it together."""
    found: dict[Variable, frozenset[int]] = {}
    for variable, places in narrowed:
        attribute = _attribute(variable)
        found[attribute] = found.get(attribute, places) & places
    return frozenset(found.items())


def _names(figure: Exact) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_grouped(figure), *(condition.variable for condition in figure.where))))


def _grouped(figure: Exact) -> tuple[str, ...]:
    match figure:
        case Count():
            return ()
        case Histogram():
            return (figure.variable,)
        case Contingency():
            return (figure.rows, figure.columns)


def _joined(groups: Iterable[frozenset[Variable]]) -> list[frozenset[Variable]]:
    """Sets of attributes, so that each group is in one of them."""
    sets: list[frozenset[Variable]] = []
    for group in groups:
        touching = [each for each in sets if each & group]
        sets = [each for each in sets if not each & group]
        if group:
            sets.append(group.union(*touching))
    return sets


def _more(ours: set[Cell], theirs: set[Cell], counts: Mapping[Variable, int]) -> bool:
    """Whether neither side's cells follow from the other's, everybody being known."""
    if ours <= theirs or theirs <= ours:
        return False
    if math.prod(counts.values()) > MAX_COMBINATIONS:
        return True
    everybody: Cell = frozenset()
    mine, other = (_matrix([*cells, everybody], counts) for cells in (ours, theirs))
    both = rank(np.concatenate([mine, other]))
    return both not in (rank(mine), rank(other))


def _matrix(cells: Sequence[Cell], counts: Mapping[Variable, int]) -> Integers:
    """A row a cell, a column a combination of levels: 1 where it is in the cell."""
    rows = []
    for cell in cells:
        narrowed = dict(cell)
        row = np.ones(1, np.int64)
        for attribute, count in counts.items():
            places = narrowed.get(attribute)
            has = np.ones(count, np.int64)
            if places is not None:
                has = np.array([place in places for place in range(count)], np.int64)
            row = np.kron(row, has)
        rows.append(row)
    return np.array(rows, np.int64)


def _attribute(variable: Variable) -> Variable:
    """What a variable is about, whatever it is called and into which levels it is put: bins or words."""
    return replace(variable, name="", role=Role.QUASI, edges=variable.edges and ("",), levels=())


def _related(one: Variable, other: Variable) -> bool:
    """Whether two different attributes may be two views of one thing."""
    if one.sources and other.sources:
        # Also one column in bins here and in words there.
        return any(_of_same_rows(a, b) for a in one.sources for b in other.sources)
    if one.sources or other.sources:
        return bool(one.categories & other.categories)
    if {one.kind, other.kind} <= _BORN or {one.kind, other.kind} <= _PLACE:
        return True
    return (one.kind, one.system, one.code) == (other.kind, other.system, other.code)


def _of_same_rows(one: Source, other: Source) -> bool:
    """Unless a column has one text in all rows of the one and another in all rows of the other."""
    here, there = dict(one.where), dict(other.where)
    apart = any(here[name] != there[name] for name in here.keys() & there.keys())
    return one.view == other.view and not apart
