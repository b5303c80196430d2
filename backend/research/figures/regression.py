"""Least squares of one variable on another, from noisy sufficient statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.research.figures import tallies
from backend.research.figures.base import (
    ASSUMED_PATIENTS,
    SIMULATIONS,
    Z_95,
    Drawn,
    Expected,
    Floats,
    NoisyVector,
    estimate,
    gaussian,
    percentiles,
    scale_of,
    simulated,
    undetermined,
)
from backend.research.figures.columns import Columns, Integers, steps
from backend.research.outputs import Bounds, Regression
from backend.research.types import Estimate, NanoRho

UNITS = 1_000  # half a clamped range: values become whole numbers from -UNITS to UNITS
BOUND_SQUARED = 8 * UNITS**4
METHOD = (
    "Values outside of the bounds are moved to them; patients without both values are left out. Line "
    "through noisy sums of n, x, y, x^2, xy and y^2. The bars hold what the exact line over the same "
    f"patients would be, about 95 times in 100, by parametric bootstrap ({SIMULATIONS} simulations of "
    "the noise, percentiles); they are about the noise alone, not about other patients than these. "
    "Empty: the noise hides the spread."
)
_SURE = 3.0  # the spread of x is at least so many times its own noise, or there is no line


@dataclass(frozen=True, slots=True)
class RegressionFigure:
    """The vector is (U^2 n, U sum x, U sum y, sum x^2, sum xy, sum y^2) with x, y in [-U, U].

    With a, b in [-1, 1] a row is U^2 (1, a, b, a^2, ab, b^2); two rows differ by U^2 sqrt(8) at most (their
    corners do), a row and none by U^2 sqrt(6).
    """

    asked: Regression

    kind = "regression"
    labels = ("n", "x", "y", "xx", "xy", "yy")
    bound_squared = BOUND_SQUARED
    method = METHOD

    def exact(self, columns: Columns) -> list[int]:
        y, has_y = columns.clamped(self.asked.outcome)
        x, has_x = columns.clamped(self.asked.predictor)
        mask = tallies.joined(columns.passing(self.asked.where), has_x & has_y)
        exact = tallies.moments(
            _centred(x[mask], self.asked.predictor), _centred(y[mask], self.asked.outcome)
        )
        weights = (UNITS**2, UNITS, UNITS, 1, 1, 1)
        return [weight * number for weight, number in zip(weights, exact, strict=True)]

    def draw(self, columns: Columns, rho: NanoRho) -> Drawn:
        noisy = gaussian(self.exact(columns), BOUND_SQUARED, rho)
        return noisy.drawn(self.estimates(noisy))

    def expected(self, rho: NanoRho) -> Expected:
        # Of x spread evenly over its range the variance is a third of half the range squared.
        noise = scale_of(BOUND_SQUARED, len(self.labels), rho) / UNITS**2
        per_unit = _half(self.asked.outcome) / _half(self.asked.predictor)
        return Expected(
            Z_95 * noise / (ASSUMED_PATIENTS / 3) * per_unit,
            f"the slope over {ASSUMED_PATIENTS} patients spread evenly; half as much over twice as many",
        )

    def estimates(self, noisy: NoisyVector) -> list[Estimate]:
        names = ("slope", "intercept", "r_squared")
        found = np.array([[float(value) for value in noisy.values]]) / UNITS**2
        samples = simulated(noisy) / UNITS**2
        n, spread = _spread(found)
        _, spreads = _spread(samples)
        noise = float(np.std(spreads))
        if float(n[0]) <= _SURE * noisy.sigma / UNITS**2 or float(spread[0]) <= _SURE * noise:
            return [undetermined(name) for name in names]
        values, simulations = self._line(found), self._line(samples)
        return [
            estimate(name, float(values[place][0]), *percentiles(simulations[place]), 6)
            for place, name in enumerate(names)
        ]

    def _line(self, sums: Floats) -> tuple[Floats, Floats, Floats]:
        """(slope, intercept at x = 0, squared correlation) for each row of sums, in the variables' units."""
        n, x, y, xx, xy, yy = sums.T
        n = np.maximum(n, 1.0)
        about_x = np.maximum(xx - x * x / n, 1e-9)
        about_y = np.maximum(yy - y * y / n, 1e-9)
        together = xy - x * y / n
        flat = together / about_x
        half_x, half_y = _half(self.asked.predictor), _half(self.asked.outcome)
        slope = flat * half_y / half_x
        at_middle = _middle(self.asked.outcome) + half_y * (y - flat * x) / n
        fit = np.clip(together**2 / (about_x * about_y), 0.0, 1.0)
        return slope, at_middle - slope * _middle(self.asked.predictor), fit


def _spread(sums: Floats) -> tuple[Floats, Floats]:
    n, x, xx = sums[:, 0], sums[:, 1], sums[:, 3]
    return n, xx - x * x / np.maximum(n, 1.0)


def _centred(values: Integers, bounds: Bounds) -> Integers:
    """Whole numbers from -UNITS to UNITS."""
    lower, upper = steps(bounds.lower, bounds), steps(bounds.upper, bounds)
    width = upper - lower
    return (2 * UNITS * (values - lower) + width // 2) // width - UNITS


def _half(bounds: Bounds) -> float:
    return (float(bounds.upper) - float(bounds.lower)) / 2


def _middle(bounds: Bounds) -> float:
    return (float(bounds.upper) + float(bounds.lower)) / 2
