"""Counts, histograms, two-way tables, and how many take part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backend.research.figures import tallies
from backend.research.figures.base import Z_95, Drawn, Expected, error_of, estimate, gaussian
from backend.research.figures.columns import Columns
from backend.research.outputs import Contingency, Count, Exact, Histogram
from backend.research.types import Estimate, NanoRho
from backend.research.variables import Variable

INCLUDED, EXCLUDED = "included", "excluded"
COUNTED = "patients"
COUNT_BOUND = 1
CELL_BOUND = 2  # a patient leaves one cell and comes into another
SEPARATOR = " | "
METHOD = (
    "Each number is off by error_95 or more with a probability of 5 % at most (tail of the discrete "
    "Gaussian, exact), each for itself. The noise alone: what the exact number over the same patients "
    "would be. One patient is in one cell."
)


@dataclass(frozen=True, slots=True)
class CountFigure:
    """A figure of cells in which a patient stands once."""

    asked: Exact
    labels: tuple[str, ...]
    margins: tuple[tuple[str, ...], tuple[str, ...]] | None = None

    @property
    def kind(self) -> str:
        match self.asked:
            case Count():
                return "count"
            case Histogram():
                return "histogram"
            case Contingency():
                return "contingency"

    @property
    def bound_squared(self) -> int:
        return COUNT_BOUND if isinstance(self.asked, Count) else CELL_BOUND

    @property
    def method(self) -> str:
        return METHOD

    def exact(self, columns: Columns) -> list[int]:
        """The number of patients of each label."""
        mask = columns.passing(self.asked.where)
        match self.asked:
            case Count():
                return [len(columns) if mask is None else int(np.count_nonzero(mask))]
            case Histogram():
                return tallies.counted(columns.codes(self.asked.variable), len(self.labels), mask)
            case Contingency():
                names = self.asked.rows, self.asked.columns
                rows, across = (columns.codes(name) for name in names)
                size = tuple(len(columns.variables[name].domain) for name in names)
                return tallies.pairs(rows, across, (size[0], size[1]), mask)

    def draw(self, columns: Columns, rho: NanoRho) -> Drawn:
        noisy = gaussian(self.exact(columns), self.bound_squared, rho)
        return noisy.drawn(self._margins(noisy.values, noisy.sigma))

    def expected(self, rho: NanoRho) -> Expected:
        return Expected(float(error_of(self.bound_squared, len(self.labels), rho)), "patients in each cell")

    def _margins(self, values: tuple[int, ...], sigma: float) -> list[Estimate]:
        """Sums over a row or a column of cells: their noise adds up in quadrature."""
        if self.margins is None:
            return []
        rows, across = self.margins
        table = np.array(values, dtype=np.float64).reshape(len(rows), len(across))
        found = []
        for side, names, sums, cells in (
            ("row", rows, table.sum(axis=1), len(across)),
            ("column", across, table.sum(axis=0), len(rows)),
        ):
            error = Z_95 * sigma * cells**0.5
            found += [
                estimate(f"{side} {name}", value, value - error, value + error, 0)
                for name, value in zip(names, sums.tolist(), strict=True)
            ]
        return found


@dataclass(frozen=True, slots=True)
class ParticipantsFigure:
    """How many of all candidates take part, and how many do not."""

    kind = "participants"
    labels = (INCLUDED, EXCLUDED)
    bound_squared = CELL_BOUND
    method = METHOD

    def draw(self, columns: Columns, rho: NanoRho) -> Drawn:
        exact = [len(columns), columns.candidates - len(columns)]
        return gaussian(exact, CELL_BOUND, rho).drawn()

    def expected(self, rho: NanoRho) -> Expected:
        return Expected(float(error_of(CELL_BOUND, len(self.labels), rho)), "patients on each side")


def count_figure(asked: Exact, variables: Mapping[str, Variable]) -> CountFigure:
    match asked:
        case Count():
            return CountFigure(asked, (COUNTED,))
        case Histogram():
            return CountFigure(asked, variables[asked.variable].domain)
        case Contingency():
            rows, columns = variables[asked.rows].domain, variables[asked.columns].domain
            labels = tuple(f"{row}{SEPARATOR}{column}" for row in rows for column in columns)
            return CountFigure(asked, labels, (rows, columns))
