"""What leaves as a study's table, and what is told of it.

Apart from what makes it (``release.py``), which loads the engine of anonymization and its compiler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend.types import SubjectId


@dataclass(frozen=True, slots=True)
class ReleaseReport:
    """Losses are in [0, 1].

    ``class_sizes`` counts patients: (least, 25 %, 50 %, 75 %, most). ``average_class`` is C_avg, rows
    over (classes x k).
    """

    k_asked: int
    k_reached: int
    rows_released: int
    rows_suppressed: int
    classes: int
    class_sizes: tuple[int, int, int, int, int]
    average_class: float
    loss: float
    loss_by_column: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ReleasedTable:
    """One row a patient, in an order that tells nothing; one cell for each name in ``columns``.

    ``class_of`` tells which patients share their quasi-identifiers, for the release ledger, and ``subjects``
    whose row each is, for pseudonyms: neither is ever released.
    """

    columns: tuple[str, ...]
    quasi_identifiers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    report: ReleaseReport
    class_of: Mapping[SubjectId, int]
    subjects: tuple[SubjectId, ...]
