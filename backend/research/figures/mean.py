"""The mean of a clamped variable: a noisy number of patients and a noisy centred sum, as one vector."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backend.research.figures import tallies
from backend.research.figures.base import (
    ASSUMED_PATIENTS,
    Z_95,
    Drawn,
    Expected,
    NoisyVector,
    estimate,
    gaussian,
    scale_of,
    undetermined,
)
from backend.research.figures.columns import Columns, steps
from backend.research.outputs import Mean
from backend.research.types import Estimate, NanoRho

METHOD = (
    "Values outside of the bounds are moved to them; patients without a value are left out. The bar "
    "holds the mean over the same patients' clamped values 95 times in 100 (Fieller 1954, for the ratio "
    "of two numbers with Gaussian noise); it is about the noise alone, not about other patients than "
    "these. Empty: the noise hides how many there are."
)


@dataclass(frozen=True, slots=True)
class MeanFigure:
    """The vector is (weight x patients, sum of value - middle), in units of 10^-decimals.

    One patient's row moves it by no more than the range: from the lower to the upper bound the sum alone by
    the whole range; from no value to a value the number by 1 and the sum by half of the range, and the weight
    is the largest for which that is no more.
    """

    asked: Mean

    kind = "mean"
    method = METHOD

    @property
    def labels(self) -> tuple[str, ...]:
        return f"{self._weight} x patients", f"sum over {self._middle}"

    @property
    def bound_squared(self) -> int:
        return max(self._range**2, self._weight**2 + self._half**2)

    def exact(self, columns: Columns) -> list[int]:
        values, present = columns.clamped(self.asked.of)
        mask = tallies.joined(columns.passing(self.asked.where), present)
        number, above = tallies.total(values, self._middle, mask)
        return [self._weight * number, above]

    def draw(self, columns: Columns, rho: NanoRho) -> Drawn:
        noisy = gaussian(self.exact(columns), self.bound_squared, rho)
        return noisy.drawn(self._estimates(noisy))

    def expected(self, rho: NanoRho) -> Expected:
        error = Z_95 * scale_of(self.bound_squared, len(self.labels), rho) / ASSUMED_PATIENTS
        return Expected(
            error * 10.0**-self.asked.of.decimals,
            f"the mean over {ASSUMED_PATIENTS} patients with a value; half as much over twice as many",
        )

    def _estimates(self, noisy: NoisyVector) -> list[Estimate]:
        weight, unit = self._weight, 10.0**-self.asked.of.decimals
        number, above = noisy.values[0] / weight, float(noisy.values[1])
        spread = Z_95 * noisy.sigma
        patients = estimate("patients", number, number - spread / weight, number + spread / weight, 0)
        # All theta with |sum - theta number| <= spread sqrt(1 + theta^2 / weight^2).
        a, c = number**2 - (spread / weight) ** 2, above**2 - spread**2
        if number <= 0 or a <= 0:
            return [undetermined("mean"), patients]
        root = math.sqrt(max(0.0, (above * number) ** 2 - a * c))
        ends = ((above * number - root) / a, above / number, (above * number + root) / a)
        low, value, high = (self._clamped(self._middle + end) * unit for end in ends)
        return [estimate("mean", value, low, high, self.asked.of.decimals + 3), patients]

    def _clamped(self, value: float) -> float:
        return min(max(value, float(self._lower)), float(self._upper))

    @property
    def _lower(self) -> int:
        return steps(self.asked.of.lower, self.asked.of)

    @property
    def _upper(self) -> int:
        return steps(self.asked.of.upper, self.asked.of)

    @property
    def _range(self) -> int:
        return self._upper - self._lower

    @property
    def _middle(self) -> int:
        return (self._lower + self._upper) // 2

    @property
    def _half(self) -> int:
        return self._upper - self._middle  # rounded up

    @property
    def _weight(self) -> int:
        return max(1, math.isqrt(self._range**2 - self._half**2))
