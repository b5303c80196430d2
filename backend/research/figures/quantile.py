"""A quantile among public candidates, by the exponential mechanism; its bar is two more draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from backend.research.dp import choice_scale, noisy_choice
from backend.research.figures import tallies
from backend.research.figures.base import Drawn, Expected, estimate
from backend.research.figures.columns import Columns, Integers, steps
from backend.research.outputs import Quantile
from backend.research.types import NanoRho

DRAWS = 3
METHOD = (
    "Values outside of the bounds are moved to them, and each value down to the next candidate. Three "
    "draws, a third of the price each: one at the quantile, one so far below it in rank and one so far "
    "above that each lies on its side with 97.5 % at least (tail of the exponential mechanism, McSherry "
    "and Talwar 2007, theorem 6). The bar is about the noise alone, to one step of the grid."
)


@dataclass(frozen=True, slots=True)
class QuantileFigure:
    """Scores are -|(1 - q) below - q above| in units of 1/(denominator of q): whole numbers, of which one
    patient's row changes each by the denominator at most."""

    asked: Quantile

    kind = "quantile"
    labels = ("low", "value", "high")
    method = METHOD

    @property
    def bound_squared(self) -> int:
        return self._denominator**2

    def signed(self, columns: Columns) -> Integers:
        """By how much each candidate's rank is above the quantile's, times the denominator."""
        values, present = columns.clamped(self.asked.of)
        mask = tallies.joined(columns.passing(self.asked.where), present)
        below, above = tallies.ranks(values[mask], self._candidates)
        return (self._denominator - self._numerator) * below - self._numerator * above

    def draw(self, columns: Columns, rho: NanoRho) -> Drawn:
        bounds, signed = self.asked.of, self.signed(columns)
        share = self._share(rho)
        reach = self._reach(share)
        chosen = [
            noisy_choice((-np.abs(signed + shift)).tolist(), self._denominator, share)
            for shift in (reach, 0, -reach)
        ]
        low, value, high = (int(self._candidates[place]) for place in chosen)
        low, high = min(low, value), max(high, value)
        unit = 10.0**-bounds.decimals
        found = estimate("quantile", value * unit, low * unit, high * unit, bounds.decimals)
        scale = choice_scale(self._denominator, share)
        return Drawn((low, value, high), max(value - low, high - value), f"{scale:.6f}", (found,))

    def expected(self, rho: NanoRho) -> Expected:
        return Expected(
            2 * self._reach(self._share(rho)) / self._denominator,
            "patients by which the bar's ends are away from the quantile in rank, at most",
        )

    def _share(self, rho: NanoRho) -> NanoRho:
        return NanoRho(rho // DRAWS)

    def _reach(self, share: NanoRho) -> int:
        """By how much a draw's score falls short of the best one with a probability of 2.5 % at most."""
        scale = choice_scale(self._denominator, share)
        return math.ceil(scale * math.log(len(self._candidates) / 0.025))

    @property
    def _candidates(self) -> Integers:
        bounds = self.asked.of
        step = steps(self.asked.step, bounds)
        return np.arange(steps(bounds.lower, bounds), steps(bounds.upper, bounds) + 1, step, dtype=np.int64)

    @property
    def _numerator(self) -> int:
        return self.asked.per_mille // math.gcd(self.asked.per_mille, 1000)

    @property
    def _denominator(self) -> int:
        return 1000 // math.gcd(self.asked.per_mille, 1000)
