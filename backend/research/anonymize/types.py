"""The types of a request to anonymize and of its result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.errors import AnonymizationInvalid

if TYPE_CHECKING:
    import polars as pl

SUPPRESSED = -1  # the class of a row that is left out


class Mode(StrEnum):
    """How the published classes may lie to each other."""

    STRICT = "strict"  # any two are disjoint in some column: safe from downcoding (Cohen 2022)
    MAX_UTILITY = "max-utility"  # one may lie inside another: least loss, for recipients under contract
    FULL_DOMAIN = "full-domain"  # one level a column for all rows, provably optimal for the loss


class DiversityKind(StrEnum):
    """The kinds of l-diversity of Machanavajjhala et al. (2006)."""

    DISTINCT = "distinct"  # a class has at least l different sensitive values
    ENTROPY = "entropy"  # the entropy of the sensitive values of a class is at least log(l)
    RECURSIVE = "recursive"  # r1 < c * (r_l + r_l+1 + ...), r being the counts in falling order


@dataclass(frozen=True, slots=True)
class Diversity:
    """``l`` is whole but for entropy; ``c`` belongs to recursive only. Raises AnonymizationInvalid."""

    kind: DiversityKind
    l: float  # noqa: E741 -- the letter the definition uses
    c: float | None = None

    def __post_init__(self) -> None:
        _require(math.isfinite(self.l) and self.l > 1, "l is above 1")
        _require(self.kind is DiversityKind.ENTROPY or self.l == int(self.l), "l is a whole number")
        recursive = self.kind is DiversityKind.RECURSIVE
        _require(recursive == (self.c is not None), "recursive diversity has a c, the others have none")
        _require(self.c is None or (math.isfinite(self.c) and self.c > 0), "c is above 0")


@dataclass(frozen=True, slots=True)
class PrivacyModel:
    """What every published class must satisfy. Raises AnonymizationInvalid.

    ``k`` counts patients. ``diversity`` and ``t`` hold for each sensitive column by itself and count rows.
    ``t`` bounds the distance between the distribution of a class and that of the whole input, with equal
    ground distance: half the sum of absolute differences (Li et al. 2007).
    """

    k: int
    diversity: Diversity | None = None
    t: float | None = None

    def __post_init__(self) -> None:
        _require(self.k >= 2, "k is at least 2")
        _require(self.t is None or 0.0 <= self.t <= 1.0, "t lies in [0, 1]")

    @property
    def needs_sensitive(self) -> bool:
        return self.diversity is not None or self.t is not None


@dataclass(frozen=True, slots=True, eq=False)
class Anonymized:
    """A result; row i of everything belongs to row i of the input.

    ``quasi`` holds the released labels of each quasi-identifier as a ``polars.Enum`` series, null where the
    row is suppressed. ``suppressed`` (bool) marks rows left out of the release. ``class_id`` (int64) numbers
    the published classes from 0; rows of one class carry equal labels, rows of different classes do not; it
    is SUPPRESSED where the row is. ``levels`` gives the level of each column in full-domain mode.
    """

    quasi: Mapping[str, pl.Series]
    suppressed: NDArray[np.bool_]
    class_id: NDArray[np.int64]
    mode: Mode
    model: PrivacyModel
    levels: Mapping[str, int] | None = None


def _require(holds: bool, detail: str) -> None:
    if not holds:
        raise AnonymizationInvalid(detail)
