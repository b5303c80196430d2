"""What every protected figure is: bounded, integer, noised by OpenDP, with a 95 % error bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.research.dp import expected_error, noisy_counts, sigma_of
from backend.research.figures.columns import Columns
from backend.research.types import Estimate, NanoRho

Floats = NDArray[np.float64]
Z_95 = 1.959964  # two-sided 95 % of the normal distribution
_GRAINS = 128
SIMULATIONS = 4_000
ASSUMED_PATIENTS = 1_000  # an expected error that depends on how many there are is told for so many


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was released. ``values`` are the noisy integers, one for each label; ``error_95`` bounds the error
    of each single one. ``estimates`` follow from them and from public constants, by ``method``.
    """

    values: tuple[int, ...]
    error_95: int
    sigma: str
    estimates: tuple[Estimate, ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """The 95 % error to expect, known before anything is spent, and of what it is the error."""

    error: float
    of: str


class Figure(Protocol):
    """One protected question. ``bound_squared`` is the squared L2 norm of what one patient's row can change
    (of a quantile: the square of what it can change a score by)."""

    @property
    def kind(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def bound_squared(self) -> int: ...

    @property
    def method(self) -> str:
        """How the error bars were made, and what they mean."""
        ...

    def draw(self, columns: Columns, rho: NanoRho) -> Drawn:
        """Compute and add noise: call it once the charge is durable, and once only."""
        ...

    def expected(self, rho: NanoRho) -> Expected: ...


@dataclass(frozen=True, slots=True)
class NoisyVector:
    """A noisy integer vector with the scale of its noise."""

    values: tuple[int, ...]
    sigma: float
    error_95: int

    def drawn(self, estimates: Sequence[Estimate] = ()) -> Drawn:
        return Drawn(self.values, self.error_95, f"{self.sigma:.6f}", tuple(estimates))


@dataclass(frozen=True, slots=True)
class Grain:
    """How coarse a vector is made before noise is added: OpenDP's exact sampler takes time in proportion to
    the noise's scale, and below a hundredth of what one patient can change there is nothing to see.

    Each number is rounded to a multiple of ``step``, which moves the difference of two vectors by less than
    one step in each place; ``bound_squared`` covers that, in steps.
    """

    step: int
    bound_squared: int


def grain_of(bound_squared: int, size: int) -> Grain:
    bound = _root_up(bound_squared)
    step = bound // _GRAINS
    if step <= 1:
        return Grain(1, bound_squared)
    return Grain(step, (-(-bound // step) + _root_up(size)) ** 2)


def _root_up(square: int) -> int:
    return math.isqrt(square - 1) + 1


def gaussian(exact: Sequence[int], bound_squared: int, rho: NanoRho) -> NoisyVector:
    """Add noise to a vector that one patient moves by the root of ``bound_squared`` at most, in L2 norm."""
    grain = grain_of(bound_squared, len(exact))
    coarse = [(number + grain.step // 2) // grain.step for number in exact]
    noisy = noisy_counts(coarse, sensitivity_squared=grain.bound_squared, rho=rho)
    values = tuple(value * grain.step for value in noisy.values)
    rounding = grain.step // 2
    return NoisyVector(values, noisy.sigma * grain.step, noisy.error_95 * grain.step + rounding)


def error_of(bound_squared: int, size: int, rho: NanoRho) -> int:
    """The ``error_95`` that ``gaussian`` will give a vector of ``size`` numbers."""
    grain = grain_of(bound_squared, size)
    return expected_error(grain.bound_squared, rho) * grain.step + grain.step // 2


def scale_of(bound_squared: int, size: int, rho: NanoRho) -> float:
    """The ``sigma`` that ``gaussian`` will give a vector of ``size`` numbers."""
    grain = grain_of(bound_squared, size)
    return sigma_of(grain.bound_squared, rho) * grain.step


def simulated(noisy: NoisyVector) -> Floats:
    """``SIMULATIONS`` vectors around the noisy one, with the same noise again (parametric bootstrap).

    Post-processing: it costs nothing and says nothing that the noisy vector does not. Seeded by the vector,
    so that the same answer has the same bars.
    """
    seed = [value % 2**64 for value in noisy.values]
    source = np.random.default_rng(seed)
    centre = np.array([float(value) for value in noisy.values])
    return centre + source.normal(0.0, noisy.sigma, (SIMULATIONS, len(centre)))


def percentiles(samples: Floats) -> tuple[float, float]:
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)


def estimate(name: str, value: float, low: float, high: float, digits: int) -> Estimate:
    """Decimal strings with ``digits`` decimals, the bars rounded outwards."""
    step = 10.0**-digits
    return Estimate(
        name,
        _text(value, digits),
        _text(math.floor(low / step) * step, digits),
        _text(math.ceil(high / step) * step, digits),
    )


def undetermined(name: str) -> Estimate:
    """The noise is as large as what was to be measured."""
    return Estimate(name, "", "", "")


def _text(number: float, digits: int) -> str:
    text = format(Decimal(number), f".{digits}f")
    return text[1:] if text.strip("-0.") == "" and text.startswith("-") else text
