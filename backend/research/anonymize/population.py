"""How many people are unique in the population, estimated from how class sizes are spread in a sample.

All functions take the sizes of the classes of the sample and the size of the population and return the
expected share of the population that is unique, or None where a model has no answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares, minimize
from scipy.special import gammaln
from scipy.stats import hypergeom

from backend.research.anonymize.domains import Ints

PITMAN, ZAYATZ, SNB = "pitman", "zayatz", "snb"
_SMALL_SAMPLE = 0.1  # below this sampling fraction Dankar's rule trusts Pitman


@dataclass(frozen=True, slots=True)
class Uniqueness:
    """``dankar`` is the estimate that Dankar's rule chooses, ``chosen`` the model it comes from."""

    pitman: float | None
    zayatz: float | None
    dankar: float | None
    chosen: str


def uniqueness(sizes: Ints, population: int) -> Uniqueness:
    """Estimate with each model and choose by the rule of Dankar et al. 2012 (BMC Med Inform Decis Mak 12:66).

    A sampling fraction of at most 0.1: Pitman (Zayatz where Pitman has no answer). Above it: the smaller one
    of Zayatz and the slide negative binomial model. A sample without unique records gives 0. Raises
    ValueError when the population is smaller than the sample.
    """
    if population < int(sizes.sum()):
        raise ValueError("a population is not smaller than its sample")
    if not (sizes == 1).any():
        return Uniqueness(0.0, 0.0, 0.0, PITMAN)
    by_pitman, by_zayatz = pitman(sizes, population), zayatz(sizes, population)
    if sizes.sum() / population <= _SMALL_SAMPLE:
        order = [(PITMAN, by_pitman), (ZAYATZ, by_zayatz)]
        chosen = next(((name, found) for name, found in order if found is not None), (PITMAN, None))
    else:
        answers = [(ZAYATZ, by_zayatz), (SNB, snb(sizes, population))]
        known = [(found, name) for name, found in answers if found is not None]
        chosen = min(known)[::-1] if known else (ZAYATZ, None)
    return Uniqueness(by_pitman, by_zayatz, chosen[1], chosen[0])


def pitman(sizes: Ints, population: int) -> float | None:
    """Pitman's sampling formula (Hoshino 2001, J. Official Statistics 17:499).

    Maximum likelihood of theta and alpha in (0, 1); then Gamma(theta + 1) / Gamma(theta + alpha) x N^alpha
    people are unique.
    """
    number, count = np.unique(sizes, return_counts=True)
    u, n = len(sizes), int(sizes.sum())
    if u in (1, n):
        return None  # one class, or all unique: the likelihood has no maximum inside

    def negative_log_likelihood(point: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        alpha, theta = _unpack(point)
        # sum of log(theta + i alpha) over i < u, less sum of log(theta + i) over i < n, and for each class of
        # size j the sum of log(i - alpha) over i < j; sums of logs of steps are differences of log-gamma.
        classes = (u - 1) * np.log(alpha) + gammaln(theta / alpha + u) - gammaln(theta / alpha + 1)
        people = gammaln(theta + n) - gammaln(theta + 1)
        within = (count * (gammaln(number - alpha) - gammaln(1 - alpha))).sum()
        return float(people - classes - within)

    starts = [(0.5, float(u)), (0.1, float(u)), (0.9, 1.0), (0.3, 10.0 * u)]
    found = [
        minimize(
            negative_log_likelihood,
            [np.log(alpha / (1 - alpha)), np.log(theta + alpha)],
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-9, "maxiter": 4_000},
        )
        for alpha, theta in starts
    ]
    best = min(found, key=lambda result: float(result.fun))
    alpha, theta = _unpack(best.x)
    if not best.success or not 1e-6 < alpha < 1 - 1e-6:
        return None
    uniques = np.exp(gammaln(theta + 1) - gammaln(theta + alpha) + alpha * np.log(population))
    share = float(uniques) / population
    return share if 0.0 <= share <= 1.0 else None


def _unpack(point: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    """alpha in (0, 1) and theta > -alpha, out of two free numbers."""
    alpha = float(1 / (1 + np.exp(-point[0])))
    return alpha, float(np.exp(np.clip(point[1], -60, 60)) - alpha)


def zayatz(sizes: Ints, population: int) -> float | None:
    """Zayatz 1991, Estimation of the number of unique population elements using a sample (US Census Bureau).

    Population classes are taken to be spread over sizes as the sample's are. By Bayes, a record unique in the
    sample is unique in the population with p = h(1) P(1) / sum of h(i) P(i), h(i) being the hypergeometric
    probability that of i people exactly one is drawn; then (sample uniques) x p / (sampling fraction).
    """
    number, count = np.unique(sizes, return_counts=True)
    n, singles = int(sizes.sum()), int((sizes == 1).sum())
    if singles == 0:
        return 0.0
    drawn = hypergeom.pmf(1, population, number, n) * count / len(sizes)
    probability = float(drawn[number == 1][0] / drawn.sum())
    return singles * probability / n


def snb(sizes: Ints, population: int) -> float | None:
    """The slide negative binomial model (Chen and Keller-McNulty 1998, J. Official Statistics 14:79).

    A population class has 1 + X people, X negative binomial (a, b); each is drawn with probability f. The
    number K of population classes is estimated after Shlosser (modified; Haas and Stokes 1998, JASA 93:1475);
    a and b make the expected classes of size 1 and 2 those of the sample; K x b^a people are unique.
    """
    f = int(sizes.sum()) / population
    number, count = np.unique(sizes, return_counts=True)
    ones, twos = int((sizes == 1).sum()), int((sizes == 2).sum())
    if ones == 0:
        return 0.0
    if f >= 1.0:
        return ones / population
    k = _population_classes(number.astype(np.float64), count.astype(np.float64), ones, f)

    def miss(point: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
        a, b = float(np.exp(point[0])), float(1 / (1 + np.exp(-point[1])))
        one, two = expected_small_classes(a, b, f)
        return [(k * one - ones) / max(ones, 1), (k * two - twos) / max(twos, 1)]

    best = min(
        (least_squares(miss, [start, 0.0]) for start in (-2.0, 0.0, 2.0)),
        key=lambda result: float(result.cost),
    )
    if float(best.cost) > 1e-10:
        return None
    a, b = float(np.exp(best.x[0])), float(1 / (1 + np.exp(-best.x[1])))
    share = float(k * b**a / population)
    return share if 0.0 <= share <= 1.0 else None


def expected_small_classes(a: float, b: float, f: float) -> tuple[float, float]:
    """The probability that a population class gives exactly 1, and exactly 2, sampled people.

    With x = 1 - f + f s, the generating function of the drawn people is x (b / (1 - (1 - b) x))^a; these are
    its first derivative and half of its second at s = 0.
    """
    x = 1.0 - f
    q = (1.0 - b) * x
    base = (b / (1.0 - q)) ** a
    one = f * base * (1.0 + a * q / (1.0 - q))
    two = f * f * base * a * (1.0 - b) * (2.0 - (1.0 - a) * q) / (2.0 * (1.0 - q) ** 2)
    return one, two


def _population_classes(
    number: np.ndarray[tuple[int], np.dtype[np.float64]],
    count: np.ndarray[tuple[int], np.dtype[np.float64]],
    ones: int,
    f: float,
) -> float:
    """u + f_1 x (A / B) x (C / D)^2: Haas and Stokes' modified form of Shlosser's estimator."""
    a = (number * f**2 * (1 - f**2) ** (number - 1) * count).sum()
    b = ((1 - f) ** number * ((1 + f) ** number - 1) * count).sum()
    c = ((1 - f) ** number * count).sum()
    d = (number * f * (1 - f) ** (number - 1) * count).sum()
    return float(count.sum() + ones * (a / b) * (c / d) ** 2)
