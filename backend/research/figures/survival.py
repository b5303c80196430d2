"""Kaplan-Meier over a public grid of times, from noisy events and censorings of each interval."""

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
    scale_of,
    simulated,
    undetermined,
)
from backend.research.figures.columns import Columns
from backend.research.outputs import Survival
from backend.research.types import Estimate, NanoRho

BOUND_SQUARED = 2  # a patient is in one interval, with the event or without
METHOD = (
    "Share without the event at the end of each interval of the grid, events before censorings within "
    "one. Made from noisy counts, then rearranged so that it never rises (Chernozhukov, Fernandez-Val "
    "and Galichon 2010) and cut to [0, 1]. The band holds what the exact curve over the same patients "
    f"and grid would be at each time, about 95 times in 100, by parametric bootstrap ({SIMULATIONS} "
    "simulations of the noise, percentiles); it is about the noise alone. Empty: the noise hides how "
    "many were still at risk."
)
_SURE = 2.0  # as many are at risk as twice the noise on their number, or there is no estimate


@dataclass(frozen=True, slots=True)
class SurvivalFigure:
    """The vector has the events of each interval, then the censorings of each and of the time behind."""

    asked: Survival

    kind = "survival"
    bound_squared = BOUND_SQUARED
    method = METHOD

    @property
    def labels(self) -> tuple[str, ...]:
        grid = self.asked.grid
        starts = ("0", *grid[:-1])
        intervals = [f"[{low},{high})" for low, high in zip(starts, grid, strict=True)]
        return (
            *(f"event {interval}" for interval in intervals),
            *(f"censored {interval}" for interval in intervals),
            f"censored >={grid[-1]}",
        )

    def exact(self, columns: Columns) -> list[int]:
        times = len(self.asked.grid)
        place, present = columns.intervals(self.asked.time, self.asked.grid)
        happened = columns.having(self.asked.event)
        # Who is still without the event at the last time is censored there, whatever comes later.
        cell = np.where(happened & (place < times), place, place + times)
        mask = tallies.joined(columns.passing(self.asked.where), present)
        return tallies.counted(cell, 2 * times + 1, mask)

    def draw(self, columns: Columns, rho: NanoRho) -> Drawn:
        noisy = gaussian(self.exact(columns), BOUND_SQUARED, rho)
        return noisy.drawn(self._estimates(noisy))

    def expected(self, rho: NanoRho) -> Expected:
        noise = scale_of(BOUND_SQUARED, len(self.labels), rho) * len(self.asked.grid) ** 0.5
        return Expected(
            min(1.0, Z_95 * noise / ASSUMED_PATIENTS),
            f"the share at the last time of {ASSUMED_PATIENTS} patients of whom most are still at risk",
        )

    def _estimates(self, noisy: NoisyVector) -> list[Estimate]:
        times = len(self.asked.grid)
        found = np.array([[float(value) for value in noisy.values]])
        curve, band = _curves(found, times)[0], _curves(simulated(noisy), times)
        low, high = np.percentile(band, [2.5, 97.5], axis=0)
        at_risk = _at_risk(found, times)[0]
        cells = 2 * (times - np.arange(times)) + 1
        sure = at_risk > _SURE * noisy.sigma * np.sqrt(cells)
        last = times if sure.all() else int(np.argmin(sure))
        return [
            estimate(f"at {time}", float(curve[j]), float(low[j]), float(high[j]), 4)
            if j < last
            else undetermined(f"at {time}")
            for j, time in enumerate(self.asked.grid)
        ]


def _at_risk(cells: Floats, times: int) -> Floats:
    """How many had neither event nor censoring before each interval, for each row of cells."""
    both = cells[:, times:].copy()
    both[:, :times] += cells[:, :times]
    from_behind = np.cumsum(both[:, ::-1], axis=1)[:, ::-1]
    return from_behind[:, :times]


def _curves(cells: Floats, times: int) -> Floats:
    hazard = np.clip(cells[:, :times] / np.maximum(_at_risk(cells, times), 1.0), -1.0, 1.0)
    product = np.cumprod(1.0 - hazard, axis=1)
    falling: Floats = np.clip(-np.sort(-product, axis=1), 0.0, 1.0)
    return falling
