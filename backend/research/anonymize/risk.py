"""The risk of finding a person in a release, by the models and definitions that ARX uses.

Prosecutor: the attacker knows that their target is in the release. Journalist: they know only that the target
is in the population the release was drawn from. Marketer: they want to find as many as they can. El Emam,
Guide to the De-Identification of Personal Health Information (2013), chapters 14 to 17; ARX, risk analysis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.research.anonymize.domains import Ints

CONTRACTED, OPEN = 0.2, 0.09  # thresholds: a recipient under contract (k 5), open release (k 11)
THRESHOLDS = (CONTRACTED, OPEN)


@dataclass(frozen=True, slots=True)
class Risk:
    """Probabilities in [0, 1]. ``at_risk`` is the share of records whose risk is above each of THRESHOLDS."""

    highest: float
    average: float
    at_risk: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Risks:
    """``from_population`` tells whether a population table was given; without one, journalist is prosecutor.

    ``marketer`` is the share of records that a random match finds.
    """

    prosecutor: Risk
    journalist: Risk
    marketer: float
    from_population: bool


def risks(sizes: Ints, population: Ints | None = None) -> Risks:
    """Assess classes of ``sizes`` people, of whom the population has ``population`` in the same class.

    Raises ValueError when a population class is smaller than the released one: it is not its population.
    """
    prosecutor = _prosecutor(sizes)
    if population is None:
        return Risks(prosecutor, prosecutor, prosecutor.average, from_population=False)
    if sizes.shape != population.shape or bool((population < sizes).any()):
        raise ValueError("a class is larger than its population")
    each = 1.0 / population
    found = float((sizes * each).sum() / sizes.sum())
    journalist = Risk(
        highest=float(each.max()),
        average=max(len(sizes) / float(population.sum()), found),
        at_risk=_at_risk(each, sizes),
    )
    return Risks(prosecutor, journalist, found, from_population=True)


def unique_share(sizes: Ints) -> float:
    """The share of records that are alone in their class."""
    return float((sizes == 1).sum() / sizes.sum())


def _prosecutor(sizes: Ints) -> Risk:
    each = 1.0 / sizes
    return Risk(float(each.max()), len(sizes) / float(sizes.sum()), _at_risk(each, sizes))


def _at_risk(each: np.ndarray[tuple[int], np.dtype[np.float64]], sizes: Ints) -> tuple[float, ...]:
    return tuple(float(sizes[each > threshold].sum() / sizes.sum()) for threshold in THRESHOLDS)
