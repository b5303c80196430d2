"""A study's anonymized table, and what is told of it.

Loss is the normalised certainty penalty: for a cell (leaves - 1) / (domain - 1) of the published group, for a
suppressed row 1 in every cell; reported per column and as the mean over columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.research.anonymize import engine
from backend.research.anonymize.errors import AnonymizationInvalid, CohortTooSmall
from backend.research.anonymize.hierarchy import Hierarchy
from backend.research.anonymize.types import Mode, PrivacyModel
from backend.research.outputs import MINIMUM_K
from backend.research.released import ReleaseReport


@dataclass(frozen=True, slots=True)
class StudyTable:
    """``columns`` are the published quasi-identifiers of the rows ``kept`` (places in the input)."""

    kept: tuple[int, ...]
    columns: Mapping[str, tuple[str, ...]]
    report: ReleaseReport


def anonymize(
    columns: Mapping[str, Sequence[str]],
    hierarchies: Mapping[str, Hierarchy],
    sensitive: Mapping[str, Sequence[str]] | None = None,
    *,
    model: PrivacyModel,
    suppression_limit: float,
    mode: Mode = Mode.STRICT,
    minimum_cohort: int = 0,
) -> StudyTable:
    """Publish ``columns`` (the quasi-identifiers, one row a patient) in classes that keep the model.

    ``sensitive`` are the columns that diversity and t hold for. ``suppression_limit`` is the largest share of
    rows left out. Raises what the engine raises, and CohortTooSmall for fewer patients than
    ``minimum_cohort`` too.
    """
    if model.k < MINIMUM_K:
        raise AnonymizationInvalid(f"k is at least {MINIMUM_K}")
    if len(next(iter(columns.values()), ())) < minimum_cohort:
        raise CohortTooSmall
    done = engine.anonymize(
        columns,
        hierarchies,
        (sensitive or {}) if model.needs_sensitive else {},
        model=model,
        suppression=suppression_limit,
        mode=mode,
    )
    kept = np.flatnonzero(~done.suppressed)
    published = {name: tuple(labels.gather(kept).to_list()) for name, labels in done.quasi.items()}
    sizes = np.bincount(done.class_id[kept])
    quantiles = np.quantile(sizes, [0, 0.25, 0.5, 0.75, 1], method="lower").tolist()
    losses = {
        name: _loss(hierarchies[name], labels, len(done.class_id)) for name, labels in published.items()
    }
    report = ReleaseReport(
        k_asked=model.k,
        k_reached=int(sizes.min()),
        rows_released=len(kept),
        rows_suppressed=len(done.class_id) - len(kept),
        classes=len(sizes),
        class_sizes=(quantiles[0], quantiles[1], quantiles[2], quantiles[3], quantiles[4]),
        average_class=len(kept) / (len(sizes) * model.k),
        loss=float(np.mean(list(losses.values()))),
        loss_by_column=losses,
    )
    return StudyTable(tuple(kept.tolist()), published, report)


def _loss(hierarchy: Hierarchy, labels: Sequence[str], rows: int) -> float:
    """The mean loss of a column's cells, those of ``rows`` that are not among the labels being suppressed."""
    cost = {
        label: (last - first) / max(hierarchy.size - 1, 1)
        for label, (first, last) in hierarchy.interval.items()
    }
    return (sum(cost[label] for label in labels) + rows - len(labels)) / rows
