"""Exact figures of large groups, for the list of queries that a permit fixes: outside of the epsilon promise.

Fixed here and switchable by nobody: a cell below ``MINIMUM_CELL`` is withheld (an empty one as well), others
are rounded to a multiple of ``ROUNDING``. There are no sums of values, and no smallest or largest value:
extremes come as protected percentiles only. What is withheld must not follow from what is told: in a table
further cells are withheld until it does not, and all figures of a run together, with totals, complements and
everybody, are refused where a group below the minimum follows from them. Where somebody knows who is in no
cell, an empty one may be told from its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from backend.research.errors import ThresholdOverlap
from backend.research.figures.columns import Columns
from backend.research.figures.counting import count_figure
from backend.research.figures.differencing import Mask, gives_away
from backend.research.outputs import Contingency, Count, Exact, Histogram, Threshold
from backend.research.types import ThresholdAnswer
from backend.research.variables import Variable

MINIMUM_CELL: Final = 11
ROUNDING: Final = 5
METHOD: Final = (
    f"Exact counts rounded to a multiple of {ROUNDING}; empty where a cell has fewer than {MINIMUM_CELL} "
    "patients or would give such a cell away. No noise: outside of the promise of epsilon."
)


def answer_thresholds(
    asked: Sequence[Threshold], columns: Columns, variables: Mapping[str, Variable]
) -> tuple[ThresholdAnswer, ...]:
    """Answer the whole list, or raise ThresholdOverlap, which does not tell for which of it."""
    everybody = np.ones(len(columns), np.bool_)
    cells = [_cells(threshold.of, columns) for threshold in asked]
    sums = [_sums(threshold.of, found, columns) for threshold, found in zip(asked, cells, strict=True)]
    told = [_safe(found, [everybody, *totals]) for found, totals in zip(cells, sums, strict=True)]
    known = [everybody, *(total for totals in sums for total in totals)]
    known += [found[place] for found, places in zip(cells, told, strict=True) for place in sorted(places)]
    if gives_away(known, all_cells=[cell for found in cells for cell in found], minimum=MINIMUM_CELL):
        raise ThresholdOverlap
    return tuple(
        ThresholdAnswer(
            threshold.name,
            count_figure(threshold.of, variables).labels,
            tuple(
                _rounded(int(np.count_nonzero(cell))) if place in places else None
                for place, cell in enumerate(found)
            ),
        )
        for threshold, found, places in zip(asked, cells, told, strict=True)
    )


def _safe(cells: Sequence[Mask], totals: Sequence[Mask]) -> set[int]:
    """Which cells of one figure may be told: large ones, less those that would give a small one away.

    The smallest goes first (complementary suppression). Its totals count as known to everybody.
    """
    sizes = [int(np.count_nonzero(cell)) for cell in cells]
    told = {place for place, size in enumerate(sizes) if size >= MINIMUM_CELL}
    while told and gives_away(
        [*totals, *(cells[place] for place in sorted(told))], all_cells=cells, minimum=MINIMUM_CELL
    ):
        told.remove(min(told, key=lambda place: (sizes[place], place)))
    return told


def _cells(asked: Exact, columns: Columns) -> list[Mask]:
    passing = columns.passing(asked.where)
    chosen = np.ones(len(columns), np.bool_) if passing is None else passing
    match asked:
        case Count():
            return [chosen]
        case Histogram():
            return [chosen & level for level in _levels(asked.variable, columns)]
        case Contingency():
            across = _levels(asked.columns, columns)
            return [chosen & row & column for row in _levels(asked.rows, columns) for column in across]


def _sums(asked: Exact, cells: Sequence[Mask], columns: Columns) -> list[Mask]:
    """Totals and margins, which others may know; a count is its own total."""
    if isinstance(asked, Count):
        return []
    total = np.logical_or.reduce(cells)
    if isinstance(asked, Histogram):
        return [total]
    sides = (*_levels(asked.rows, columns), *_levels(asked.columns, columns))
    margins = [total & side for side in sides]
    return [total, *(each for each in margins if np.count_nonzero(each) >= MINIMUM_CELL)]


def _levels(name: str, columns: Columns) -> list[Mask]:
    codes = columns.codes(name)
    return [codes == place for place in range(len(columns.variables[name].domain))]


def _rounded(count: int) -> int:
    return (count + ROUNDING // 2) // ROUNDING * ROUNDING
