"""The rows of those who take part as integer columns: what every exact figure is computed from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
from numpy.typing import NDArray

from backend.research.errors import ContributionUnbounded
from backend.research.outputs import Bounds, Filter
from backend.research.types import Pseudonym
from backend.research.variables import Value, Variable

Codes = NDArray[np.intp]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Columns:
    """One row a patient, in one order. Codes are places in a variable's public domain.

    ``candidates`` is how many there were from whom these were taken.

    Raises ContributionUnbounded when a patient comes twice: no stated sensitivity would hold.
    """

    def __init__(
        self,
        variables: Mapping[str, Variable],
        patients: Sequence[Pseudonym],
        rows: Sequence[Mapping[str, Value]],
        *,
        candidates: int,
    ) -> None:
        if len(set(patients)) != len(patients) or len(patients) != len(rows):
            raise ContributionUnbounded
        self.variables = variables
        self.patients = patients
        self.candidates = candidates
        self._rows = rows
        self._codes: dict[str, Codes] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def codes(self, name: str) -> Codes:
        """The level of each patient."""
        if name not in self._codes:
            variable = self.variables[name]
            place = {level: number for number, level in enumerate(variable.domain)}
            self._codes[name] = np.fromiter(
                (place[variable.level_of(row[name])] for row in self._rows), np.intp, len(self)
            )
        return self._codes[name]

    def passing(self, where: Sequence[Filter]) -> Mask | None:
        """Who passes every filter; None for everybody."""
        if not where:
            return None
        mask = self.having(where[0])
        for condition in where[1:]:
            mask = mask & self.having(condition)
        return mask

    def having(self, condition: Filter) -> Mask:
        """Who has one of the filter's levels."""
        domain = self.variables[condition.variable].domain
        wanted = np.array([level in condition.levels for level in domain])
        return wanted[self.codes(condition.variable)]

    def clamped(self, bounds: Bounds) -> tuple[Integers, Mask]:
        """Values in units of 10^-decimals, clamped (without one: the lower bound); who has one."""
        lower, upper = steps(bounds.lower, bounds), steps(bounds.upper, bounds)
        values = [row[bounds.variable] for row in self._rows]
        scaled = (lower if value is None else _scaled(value, bounds.decimals) for value in values)
        numbers = (min(max(number, lower), upper) for number in scaled)
        present = np.fromiter((value is not None for value in values), np.bool_, len(self))
        return np.fromiter(numbers, np.int64, len(self)), present

    def intervals(self, name: str, grid: Sequence[str]) -> tuple[Codes, Mask]:
        """In which interval of [0, grid[0]), [grid[0], grid[1]), ... a value lies; who has one from 0 on."""
        edges = [Decimal(text) for text in grid]
        values = [row[name] for row in self._rows]
        present = np.fromiter(
            (isinstance(value, Decimal) and value >= 0 for value in values), np.bool_, len(self)
        )
        places = (bisect_right(edges, value) if isinstance(value, Decimal) else 0 for value in values)
        return np.fromiter(places, np.intp, len(self)), present


def steps(text: str, bounds: Bounds) -> int:
    """A bound in units of 10^-decimals."""
    return int(Decimal(text).scaleb(bounds.decimals))


def _scaled(value: Value, decimals: int) -> int:
    if not isinstance(value, Decimal):
        raise ContributionUnbounded
    return int(value.scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))
