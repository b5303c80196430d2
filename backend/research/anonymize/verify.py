"""Checks a release from its strings; shares no code with the engine that made it.

Everything is counted again on what would leave: classes, patients, sensitive values, the distance of their
distribution, what each cell stands for. Every check raises ReleaseUnverified with the reason (never a value).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl

from backend.research.anonymize.domains import Domain, Ints
from backend.research.anonymize.overlaps import overlapping
from backend.research.anonymize.published import Classes, classes_of
from backend.research.anonymize.reached import Reached, reached
from backend.research.anonymize.refusals import ReleaseUnverified
from backend.research.anonymize.types import Diversity, DiversityKind, PrivacyModel

_ROUNDING = 1e-9  # of sums of floats


@dataclass(frozen=True, slots=True)
class Promise:
    """What a release has to keep. ``protected`` names the sensitive columns that l and t are promised for."""

    model: PrivacyModel
    disjoint: bool
    suppression: float
    protected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A release and what it was made from; released row i was row ``kept[i]`` of ``original``.

    ``patients`` names the patient of each released row. ``released`` has the quasi-identifiers and the
    sensitive columns as they would leave. ``sensitive_before`` has the sensitive columns of all rows of the
    input, those left out included.
    """

    released: pl.DataFrame
    original: pl.DataFrame
    kept: Ints
    sensitive_before: pl.DataFrame
    patients: pl.Series | None
    domains: Mapping[str, Domain]


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """What was counted; ``reached`` has an entry for each sensitive column."""

    classes: Classes
    reached: Mapping[str, Reached]

    @property
    def k(self) -> int:
        return int(self.classes.people.min())


def verify(material: Material, promise: Promise) -> Verified:
    """Count everything again; raises ReleaseUnverified unless the release keeps its whole promise."""
    require_suppression(material.original.height, material.released.height, promise.suppression)
    # The two long counts need nothing of each other, and both leave the interpreter free.
    with ThreadPoolExecutor(max_workers=1) as beside:
        contained = beside.submit(
            require_containment, material.original, material.kept, material.released, material.domains
        )
        classes = classes_of(material.released, material.domains, material.patients)
        contained.result()
    require_k(classes, promise.model.k)
    if promise.disjoint and overlapping(classes, material.domains):
        raise ReleaseUnverified("two classes overlap")
    counted = {
        name: reached(classes, material.released[name], material.sensitive_before[name])
        for name in material.sensitive_before.columns
    }
    for name in promise.protected:
        if name not in counted:
            raise ReleaseUnverified(f"column {name} is to be protected and was not counted")
        if promise.model.diversity is not None:
            require_diversity(name, counted[name], promise.model.diversity)
        if promise.model.t is not None and counted[name].distance > promise.model.t + _ROUNDING:
            raise ReleaseUnverified(f"column {name}: a class is further than t from the whole table")
    return Verified(classes, counted)


def require_suppression(rows_before: int, rows_after: int, limit: float) -> None:
    """Raise unless at least one row is left and at most the share ``limit`` of the rows was left out."""
    if not 0 < rows_after <= rows_before:
        raise ReleaseUnverified("no row is left, or more than there were")
    if rows_before - rows_after > limit * rows_before + _ROUNDING:
        raise ReleaseUnverified("more rows were left out than the limit allows")


def require_k(classes: Classes, k: int) -> None:
    """Raise unless each class has at least k distinct patients."""
    if len(classes) == 0 or int(classes.people.min()) < k:
        raise ReleaseUnverified("a combination of quasi-identifiers is shared by fewer than k patients")


def require_containment(
    original: pl.DataFrame, kept: Ints, released: pl.DataFrame, domains: Mapping[str, Domain]
) -> None:
    """Raise unless each released cell is a group that holds the original value of its row, and no row of the
    original was released twice."""
    if len(kept) != released.height or int(np.bincount(kept, minlength=1).max()) > 1:
        raise ReleaseUnverified("released rows are not rows of the input, each once at most")
    for name, domain in domains.items():
        if not domain.all_hold(released[name], original[name], kept):
            raise ReleaseUnverified(f"column {name}: a released group does not hold the original value")


def require_diversity(column: str, found: Reached, asked: Diversity) -> None:
    """Raise unless every class is as diverse as asked (Machanavajjhala et al. 2006, sections 4 and 5)."""
    if asked.kind is DiversityKind.DISTINCT:
        holds = found.distinct >= asked.l
    elif asked.kind is DiversityKind.ENTROPY:
        holds = found.entropy >= asked.l - _ROUNDING
    else:
        holds = asked.c is not None and found.recursive(int(asked.l)) < asked.c
    if not holds:
        raise ReleaseUnverified(f"column {column}: a class lacks the {asked.kind.value} diversity asked for")
