"""Noise has the promised size and price; OpenDP's own accounting is the oracle."""

from __future__ import annotations

import math
from fractions import Fraction

import opendp.prelude as dp
import pytest

from backend.research.dp import NANO, choice_scale, epsilon_of, noisy_choice, noisy_counts, rho_within
from backend.research.errors import NoiseUncalibrated
from backend.research.types import NanoRho

SAMPLES = 20_000


def gaussian_cdf(value: float, sigma: float) -> float:
    return 0.5 * (1 + math.erf(value / (sigma * math.sqrt(2))))


@pytest.mark.parametrize("sensitivity_squared", [1, 2])
def test_noise_has_mean_zero_the_promised_width_and_a_gaussian_shape(sensitivity_squared: int) -> None:
    rho = NanoRho(10_000_000)  # sigma = sqrt(50) or 10
    found = noisy_counts([1_000] * SAMPLES, sensitivity_squared=sensitivity_squared, rho=rho)
    sigma = math.sqrt(sensitivity_squared * NANO / (2 * rho))
    assert found.sigma == pytest.approx(sigma, rel=1e-9)
    errors = [value - 1_000 for value in found.values]
    # Each bound below is six standard errors wide: a right sampler fails once in 10^8 runs.
    assert abs(sum(errors) / SAMPLES) < 6 * sigma / math.sqrt(SAMPLES)
    variance = sum(error * error for error in errors) / SAMPLES
    assert abs(variance / sigma**2 - 1) < 6 * math.sqrt(2 / SAMPLES)
    for cut in (-1.5, -0.5, 0.5, 1.5):
        edge = math.floor(cut * sigma)
        share = sum(error <= edge for error in errors) / SAMPLES
        expected = gaussian_cdf(edge + 0.5, sigma)
        assert abs(share - expected) < 6 * math.sqrt(expected * (1 - expected) / SAMPLES)
    outside = sum(abs(error) >= found.error_95 for error in errors) / SAMPLES
    assert 0.01 < outside < 0.05 + 6 * math.sqrt(0.05 * 0.95 / SAMPLES)


@pytest.mark.parametrize("rho", [1, 7, 999, 24_355_970, 3_000_000_000])
@pytest.mark.parametrize("squared", [1, 2])
def test_calibration_never_costs_more_than_charged_and_wastes_nothing(squared: int, rho: int) -> None:
    found = noisy_counts([5, 6], sensitivity_squared=squared, rho=NanoRho(rho))
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    cost = Fraction((space >> dp.m.then_gaussian(found.sigma)).map(math.sqrt(squared)))
    assert cost <= Fraction(rho, NANO)
    assert cost >= Fraction(rho, NANO) * Fraction(999_999, 1_000_000)


@pytest.mark.parametrize("rho", [0, -1])
def test_noise_without_a_price_is_not_drawn(rho: int) -> None:
    with pytest.raises(NoiseUncalibrated):
        noisy_counts([1], sensitivity_squared=1, rho=NanoRho(rho))


def test_conversion_agrees_with_opendp_and_is_tighter_than_the_textbook_bound() -> None:
    # Known answer: rho 0.0243560 is epsilon 1 at delta 1e-6 (measured with OpenDP and Google's accountant).
    assert epsilon_of(NanoRho(24_356_000), 6) == pytest.approx(1.0, abs=1e-5)
    rho = rho_within(1_000_000, 6)
    assert epsilon_of(rho, 6) <= 1.0 < epsilon_of(NanoRho(rho + 10), 6)
    loose = rho / NANO + 2 * math.sqrt(rho / NANO * math.log(1e6))
    assert epsilon_of(rho, 6) < loose


def test_conversion_rises_with_rho_and_starts_at_nothing() -> None:
    values = [epsilon_of(NanoRho(rho), 6) for rho in (0, 1, 10, 1_000, 10**6, 10**9)]
    assert values == sorted(values)
    assert values[0] == 0.0
    assert rho_within(0, 6) == 0


def test_composition_adds_up_as_opendps_odometer_says() -> None:
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    odometer = dp.c.make_fully_adaptive_composition(*space, output_measure=dp.zero_concentrated_divergence())(
        [10, 20]
    )
    prices = [NanoRho(5_000_000), NanoRho(7_000_000), NanoRho(1_234_567)]
    for price in prices:
        odometer(space >> dp.m.then_gaussian(noisy_counts([0], sensitivity_squared=1, rho=price).sigma))
    assert Fraction(odometer.privacy_loss(1.0)) <= Fraction(sum(prices), NANO)
    assert odometer.privacy_loss(1.0) == pytest.approx(sum(prices) / NANO, rel=1e-6)


@pytest.mark.parametrize("rho", [3, 999, 24_355_970, 3_000_000_000])
@pytest.mark.parametrize("sensitivity", [1, 2, 1_000])
def test_choice_never_costs_more_than_charged_and_wastes_nothing(sensitivity: int, rho: int) -> None:
    scale = choice_scale(sensitivity, NanoRho(rho))
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.linf_distance(T="i64")
    made = space >> dp.m.then_noisy_max(dp.zero_concentrated_divergence(), scale=scale)
    cost = Fraction(made.map(sensitivity))
    assert cost <= Fraction(rho, NANO)
    assert cost >= Fraction(rho, NANO) * Fraction(999_999, 1_000_000)


def test_choice_falls_short_of_the_best_as_seldom_as_its_bound_says() -> None:
    rho, tries, tail = NanoRho(10_000_000), 5_000, 0.05
    scores = [-abs(place - 60) for place in range(101)]
    reach = choice_scale(1, rho) * math.log(len(scores) / tail)
    short = sum(scores[noisy_choice(scores, 1, rho)] < -reach for _ in range(tries))
    # 6 standard errors above what the bound allows: a right mechanism fails once in 10^9 runs.
    assert short < tries * tail + 6 * math.sqrt(tries * tail * (1 - tail))
    with pytest.raises(NoiseUncalibrated):
        noisy_choice([], 1, rho)
    with pytest.raises(NoiseUncalibrated):
        noisy_choice([1], 1, NanoRho(0))
