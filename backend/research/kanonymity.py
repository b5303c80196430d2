"""A k-anonymous table: every published combination of quasi-identifiers is shared by k patients or more.

Loss is the normalised certainty penalty: for a cell (leaves - 1) / (domain - 1) of the published group, for a
suppressed row 1 in every cell; reported per column and as the mean over columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.errors import AnonymizationInvalid, CohortTooSmall, TableUseless
from backend.research.hierarchy import Codes, Hierarchy
from backend.research.mondrian import Ints, Partition
from backend.research.outputs import MINIMUM_K


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
class Anonymized:
    """``columns`` are the published quasi-identifiers of the rows ``kept`` (places in the input)."""

    kept: tuple[int, ...]
    columns: Mapping[str, tuple[str, ...]]
    report: ReleaseReport


def anonymize(
    columns: Mapping[str, Sequence[str]],
    hierarchies: Mapping[str, Hierarchy],
    *,
    k: int,
    suppression_limit: float,
    patients: Sequence[str] | None = None,
    minimum_cohort: int = 0,
) -> Anonymized:
    """Generalise ``columns`` (the quasi-identifiers, equally long) so that k patients share each combination.

    ``patients`` names the patient of each row (None: each row is another patient); several rows of one
    patient count once. ``suppression_limit`` is the largest share of rows left out.

    Raises AnonymizationInvalid, ValueOutsideDomain, CohortTooSmall (fewer patients than k or than
    ``minimum_cohort``) and TableUseless (nothing but '*' would be published).
    """
    rows = _check(columns, hierarchies, k=k, suppression_limit=suppression_limit, patients=patients)
    names = list(columns)
    people = (
        np.unique(np.array(patients), return_inverse=True)[1] if patients is not None else np.arange(rows)
    )
    cohort = int(people.max()) + 1 if rows else 0
    if cohort < max(k, minimum_cohort):
        raise CohortTooSmall
    ordered = [hierarchies[name] for name in names]
    codes = np.stack([h.encode(columns[name]) for name, h in zip(names, ordered, strict=True)], axis=1)
    class_of, depths = _classes(
        codes, ordered, people, single=cohort == rows, k=k, suppressible=suppression_limit * rows
    )
    kept = np.flatnonzero(class_of >= 0)
    published = {
        name: _labels(hierarchy, codes[kept, place], depths[class_of[kept], place])
        for place, (name, hierarchy) in enumerate(zip(names, ordered, strict=True))
    }
    report = _report(codes, ordered, names=names, class_of=class_of, depths=depths, people=people, k=k)
    if report.loss >= 1.0:
        raise TableUseless
    return Anonymized(tuple(int(place) for place in kept), published, report)


def _check(
    columns: Mapping[str, Sequence[str]],
    hierarchies: Mapping[str, Hierarchy],
    *,
    k: int,
    suppression_limit: float,
    patients: Sequence[str] | None,
) -> int:
    _require(k >= MINIMUM_K, f"k is at least {MINIMUM_K}")
    _require(0.0 <= suppression_limit <= 1.0, "the suppression limit is a share")
    _require(
        bool(columns) and set(columns) <= set(hierarchies),
        "every column needs a hierarchy, and one is needed",
    )
    lengths = {len(column) for column in columns.values()}
    if patients is not None:
        lengths.add(len(patients))
    _require(len(lengths) == 1, "columns differ in length")
    return lengths.pop()


def _classes(
    codes: Codes, hierarchies: list[Hierarchy], people: Ints, *, single: bool, k: int, suppressible: float
) -> tuple[Ints, Ints]:
    """The class of each row (-1: suppressed) and the published depth, classes x attributes."""
    if single:
        # Patients with equal quasi-identifiers go together anyway: work on distinct rows with their counts.
        distinct, place_of, weight = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
        place_of = place_of.reshape(-1)
        partition = Partition(distinct, hierarchies, weight, None, k, suppressible)
    else:
        place_of = np.arange(len(codes))
        weight = np.ones(len(codes), dtype=np.int64)
        partition = Partition(codes, hierarchies, weight, people, k, suppressible)
    partition.run()
    class_of = np.full(len(weight), -1, dtype=np.int64)
    for number, box in enumerate(partition.boxes):
        class_of[box.rows] = number
    depths = np.array([box.depths for box in partition.boxes], dtype=np.int64)
    return class_of[place_of], depths


def _labels(hierarchy: Hierarchy, codes: Codes, depths: Ints) -> tuple[str, ...]:
    nodes = hierarchy.node[depths, codes]
    return tuple(
        hierarchy.label[depth][node] for depth, node in zip(depths.tolist(), nodes.tolist(), strict=True)
    )


def _report(
    codes: Codes,
    hierarchies: list[Hierarchy],
    *,
    names: list[str],
    class_of: Ints,
    depths: Ints,
    people: Ints,
    k: int,
) -> ReleaseReport:
    kept = np.flatnonzero(class_of >= 0)
    losses: dict[str, float] = {}
    for place, (name, hierarchy) in enumerate(zip(names, hierarchies, strict=True)):
        cells = hierarchy.loss()[depths[class_of[kept], place], codes[kept, place]]
        # A column with a single possible value has nothing to lose.
        missing = len(class_of) - len(kept) if hierarchy.size > 1 else 0
        losses[name] = float(cells.sum() + missing) / len(class_of)
    sizes = _class_sizes(class_of[kept], people[kept])
    quantiles = np.quantile(sizes, [0, 0.25, 0.5, 0.75, 1], method="lower").tolist()
    return ReleaseReport(
        k_asked=k,
        k_reached=int(sizes.min()),
        rows_released=len(kept),
        rows_suppressed=len(class_of) - len(kept),
        classes=len(sizes),
        class_sizes=(quantiles[0], quantiles[1], quantiles[2], quantiles[3], quantiles[4]),
        average_class=len(kept) / (len(sizes) * k),
        loss=float(np.mean(list(losses.values()))),
        loss_by_column=losses,
    )


def _class_sizes(class_of: Ints, people: Ints) -> NDArray[np.int64]:
    pairs = np.unique(np.stack([class_of, people]), axis=1)
    return np.bincount(pairs[0])


def _require(holds: bool, detail: str) -> None:
    if not holds:
        raise AnonymizationInvalid(detail)
