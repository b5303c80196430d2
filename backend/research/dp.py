"""Differential privacy over integers: noise and its cost by OpenDP, accounted in zCDP.

What is promised (bounded, user-level zCDP; Bun and Steinke 2016): for two data sets that differ in the whole
record of one patient, the answers are rho-indistinguishable. One patient is one row, so a count changes by at
most 1 and a histogram by one bin down and one up, sqrt(2) in Euclidean norm. Who takes part is decided by
consents and the ledger alone, never by health data, so it is the same in both data sets; where no minimum
cohort binds, the same numbers also cover a patient's being there at all (a count changes by 1, a histogram by
1 < sqrt(2)).

Noise comes from OpenDP's exact sampler and the operating system's random source, never from NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

# Not ``opendp.prelude``: it brings polars and its companions, half a second of each start.
from opendp.accuracy import discrete_gaussian_scale_to_accuracy
from opendp.combinators import make_zCDP_to_approxDP
from opendp.domains import atom_domain, vector_domain
from opendp.measurements import then_gaussian, then_noisy_max
from opendp.measures import zero_concentrated_divergence
from opendp.metrics import absolute_distance, l2_distance, linf_distance
from opendp.mod import enable_features

from backend.research.errors import NoiseUncalibrated
from backend.research.types import NanoRho

enable_features("contrib")

NANO = 10**9
MILLION = 10**6
HISTOGRAM_SENSITIVITY_SQUARED = 2  # a patient leaves one level and comes into another
_VECTOR = vector_domain(atom_domain(T="i64")), l2_distance(T="f64")
_SCORES = vector_domain(atom_domain(T="i64")), linf_distance(T="i64")
_SCALAR = atom_domain(T="i64"), absolute_distance(T="i64")


@dataclass(frozen=True, slots=True)
class Noisy:
    """Noisy integers (they may be negative: nothing is cut off, so that means stay unbiased).

    ``sigma`` is the scale of the discrete Gaussian; each single value is off by ``error_95`` or more with a
    probability of 5 % at most.
    """

    values: tuple[int, ...]
    sigma: float
    error_95: int
    rho: NanoRho


def noisy_counts(counts: Sequence[int], *, sensitivity_squared: int, rho: NanoRho) -> Noisy:
    """Add noise to exact integers so that the whole vector costs ``rho`` at most.

    ``sensitivity_squared`` is the squared Euclidean change of ``counts`` that one patient can cause. Raises
    NoiseUncalibrated when OpenDP's own bound for the chosen scale exceeds ``rho``; nothing is drawn then.
    """
    if rho <= 0 or not counts:
        raise NoiseUncalibrated
    sensitivity = _at_least(Fraction(sensitivity_squared))
    sigma = _scale(sensitivity_squared, rho)
    measurement = _VECTOR >> then_gaussian(sigma)
    if Fraction(measurement.map(sensitivity)) > Fraction(rho, NANO):
        raise NoiseUncalibrated
    values = tuple(int(value) for value in measurement([int(count) for count in counts]))
    return Noisy(values, sigma, expected_error(sensitivity_squared, rho), rho)


def expected_error(sensitivity_squared: int, rho: NanoRho) -> int:
    """The ``error_95`` that an answer of this price will have; known before anything is spent."""
    return math.ceil(float(discrete_gaussian_scale_to_accuracy(_scale(sensitivity_squared, rho), 0.05)))


def sigma_of(sensitivity_squared: int, rho: NanoRho) -> float:
    """The scale of the noise that an answer of this price will have."""
    return _scale(sensitivity_squared, rho)


def noisy_choice(scores: Sequence[int], sensitivity: int, rho: NanoRho) -> int:
    """The place of a score that is near the highest: the exponential mechanism, costing ``rho`` at most.

    ``sensitivity`` bounds by how much one patient can change any single score. Of m scores the one chosen
    falls short of the highest by more than scale x ln(m / p) with a probability of p at most. Raises
    NoiseUncalibrated as ``noisy_counts``.
    """
    if rho <= 0 or not scores:
        raise NoiseUncalibrated
    measurement = _SCORES >> then_noisy_max(
        zero_concentrated_divergence(), scale=choice_scale(sensitivity, rho)
    )
    if Fraction(measurement.map(sensitivity)) > Fraction(rho, NANO):
        raise NoiseUncalibrated
    return int(measurement([int(score) for score in scores]))


@lru_cache(maxsize=1_024)
def choice_scale(sensitivity: int, rho: NanoRho) -> float:
    """The least scale, to one part in 10^12, whose cost by OpenDP's map is within ``rho``."""

    def cost(scale: float) -> Fraction:
        made = _SCORES >> then_noisy_max(zero_concentrated_divergence(), scale=scale)
        return Fraction(made.map(sensitivity))

    if rho <= 0:
        raise NoiseUncalibrated
    # The cost falls with the square of the scale, so one measurement tells the scale up to rounding.
    scale = math.sqrt(cost(float(sensitivity)) / Fraction(rho, NANO)) * sensitivity
    for _ in range(64):
        if cost(scale) <= Fraction(rho, NANO):
            return scale
        scale *= 1 + 1e-13
    raise NoiseUncalibrated


def _at_least(square: Fraction) -> float:
    """The least float whose square is no less than ``square``."""
    root = math.sqrt(square)
    while Fraction(root) ** 2 < square:
        root = math.nextafter(root, math.inf)
    return root


@lru_cache(maxsize=1_024)
def _scale(sensitivity_squared: int, rho: NanoRho) -> float:
    """sigma >= sqrt(sensitivity^2 / (2 rho)), raised by single floats until OpenDP's map is within rho."""
    sensitivity = _at_least(Fraction(sensitivity_squared))
    sigma = _at_least(Fraction(sensitivity_squared * NANO, 2 * rho))
    for _ in range(64):
        if Fraction((_VECTOR >> then_gaussian(sigma)).map(sensitivity)) <= Fraction(rho, NANO):
            return sigma
        sigma = math.nextafter(sigma, math.inf)
    raise NoiseUncalibrated


@lru_cache(maxsize=4_096)
def epsilon_of(rho: NanoRho, delta_exponent: int) -> float:
    """The epsilon for which rho-zCDP gives (epsilon, 10^-delta_exponent)-DP, by OpenDP's conversion."""
    if rho <= 0:
        return 0.0
    # Gaussian noise of this scale on a query of sensitivity 1 has exactly this rho or a little more.
    sigma = 1.0 / _at_least(Fraction(2 * rho, NANO))
    private: Any = make_zCDP_to_approxDP(_SCALAR >> then_gaussian(sigma))
    profile = private.map(1)
    return float(profile.epsilon(delta=10.0**-delta_exponent))


@lru_cache(maxsize=1_024)
def rho_within(epsilon: int, delta_exponent: int) -> NanoRho:
    """The largest rho whose epsilon stays within ``epsilon`` (millionths) at delta = 10^-delta_exponent.

    0 when even one unit costs more. Monotone, so found by halving.
    """
    low, high = 0, 50 * NANO
    while low < high:
        middle = (low + high + 1) // 2
        if epsilon_of(NanoRho(middle), delta_exponent) * MILLION <= epsilon:
            low = middle
        else:
            high = middle - 1
    return NanoRho(low)
