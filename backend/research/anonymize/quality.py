"""How much a release still says: loss, class sizes, entropy, shifts of columns and of their correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from backend.research.anonymize.domains import Codes, Domain, Ints
from backend.research.anonymize.overlaps import containing
from backend.research.anonymize.published import Classes

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_DENSE_TABLE = 4_000_000
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ColumnQuality:
    """One quasi-identifier. Shares lie in [0, 1].

    ``loss``: mean over all rows of the input of (values of the group - 1) / (values of the domain - 1), 1 for
    a row left out (normalised certainty penalty; ARX calls it granularity). ``entropy``: the share of the
    column's information that is lost, non-uniform entropy (Gionis and Tassa 2009, section 3). ``shift``: the
    total variation distance between the column before and after, a group being spread evenly over its values.
    ``levels``: released cells for each level of the hierarchy, 0 being the value itself.
    """

    loss: float
    entropy: float
    shift: float
    levels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ClassSizes:
    """Sizes in patients. ``c_avg`` is released rows / (classes x k) (LeFevre et al. 2006, section 2.3)."""

    classes: int
    least: int
    mean: float
    quantiles: tuple[int, ...]  # at QUANTILES
    most: int
    c_avg: float


@dataclass(frozen=True, slots=True)
class Correlation:
    """Cramér's V of two columns, on all rows before and on the released ones after."""

    one: str
    other: str
    before: float
    after: float

    @property
    def shift(self) -> float:
        return abs(self.before - self.after)


@dataclass(frozen=True, slots=True)
class Quality:
    """``discernibility``: the sum of squared class sizes and of the rows left out times all rows (Bayardo and
    Agrawal 2005). ``cells_at_root`` are released cells that say nothing. ``nested_share``: the share of
    released rows whose class has another published class wholly inside it (Cohen 2022: open to downcoding).
    """

    rows_before: int
    rows_released: int
    rows_suppressed: int
    cells_at_root: int
    cells_suppressed: int
    sizes: ClassSizes
    columns: Mapping[str, ColumnQuality]
    loss: float
    entropy: float
    discernibility: int
    correlations: tuple[Correlation, ...]
    correlation_shift: float
    nested_share: float


def quality(
    before: pl.DataFrame,
    released: pl.DataFrame,
    kept: Ints,
    *,
    classes: Classes,
    domains: Mapping[str, Domain],
    k: int,
) -> Quality:
    """Measure a release. ``before`` has all rows of the input; released row i was its row ``kept[i]``."""
    rows, after = before.height, released.height
    suppressed = rows - after
    columns: dict[str, ColumnQuality] = {}
    at_root = 0
    for name, domain in domains.items():
        value, label = domain.value_codes(before[name]), domain.label_codes(released[name])
        columns[name] = _column(domain, value, value[kept], label)
        at_root += int((domain.span[label] == len(domain.values)).sum()) if len(domain.values) > 1 else 0
    found = correlations(before, released)
    nested = containing(classes, domains)
    return Quality(
        rows_before=rows,
        rows_released=after,
        rows_suppressed=suppressed,
        cells_at_root=at_root,
        cells_suppressed=suppressed * len(domains),
        sizes=class_sizes(classes, after, k),
        columns=columns,
        loss=float(np.mean([column.loss for column in columns.values()])),
        entropy=float(np.mean([column.entropy for column in columns.values()])),
        discernibility=int((classes.rows.astype(object) ** 2).sum()) + suppressed * rows,
        correlations=found,
        correlation_shift=float(np.mean([pair.shift for pair in found])) if found else 0.0,
        nested_share=float(classes.rows[nested].sum() / after),
    )


def class_sizes(classes: Classes, rows: int, k: int) -> ClassSizes:
    people = classes.people
    return ClassSizes(
        classes=len(classes),
        least=int(people.min()),
        mean=float(people.mean()),
        quantiles=tuple(int(size) for size in np.quantile(people, QUANTILES, method="lower")),
        most=int(people.max()),
        c_avg=rows / (len(classes) * k),
    )


def _column(domain: Domain, before: Codes, kept: Codes, label: Codes) -> ColumnQuality:
    rows, size = len(before), len(domain.values)
    cells = np.bincount(label, minlength=len(domain.labels))
    levels = np.bincount(domain.level, weights=cells, minlength=domain.height + 1)
    suppressed = rows - len(label)
    counts = np.bincount(before, minlength=size)
    # A column with a single possible value has nothing to lose.
    loss = float((cells * domain.loss).sum() + suppressed) / rows if size > 1 else 0.0
    return ColumnQuality(
        loss=loss,
        entropy=_entropy_lost(domain, counts, kept, label),
        shift=total_variation(counts / rows, _spread(domain, cells)),
        levels=tuple(int(count) for count in levels),
    )


def _entropy_lost(domain: Domain, counts: Ints, kept: Codes, label: Codes) -> float:
    """Bits lost over the bits lost if every cell were the root.

    A cell loses -log2 of the share that its value has among the rows of the input within the released group.
    """
    within = np.concatenate([[0], np.cumsum(counts)])
    in_group = within[domain.last + 1] - within[domain.first]
    rows = int(counts.sum())
    at_root = float((counts[counts > 0] * -np.log2(counts[counts > 0] / rows)).sum())
    if at_root == 0.0:
        return 0.0
    cells = float(np.log2(in_group[label] / counts[kept]).sum())
    left_out = counts - np.bincount(kept, minlength=len(counts))
    used = left_out > 0
    cells += float((left_out[used] * -np.log2(counts[used] / rows)).sum())
    return cells / at_root


def _spread(domain: Domain, cells: Ints) -> Floats:
    """The distribution over values that a reader sees who spreads each group evenly."""
    steps = np.zeros(len(domain.values) + 1)
    each = cells / domain.span
    np.add.at(steps, domain.first, each)
    np.subtract.at(steps, domain.last + 1, each)
    spread: Floats = np.cumsum(steps)[:-1] / cells.sum()
    return spread


def total_variation(one: Floats, other: Floats) -> float:
    """Half the sum of absolute differences of two distributions: 0 equal, 1 nothing in common."""
    return float(np.abs(one - other).sum() / 2)


def correlations(before: pl.DataFrame, released: pl.DataFrame) -> tuple[Correlation, ...]:
    """Cramér's V of every pair of the columns of ``released``, before and after."""
    names = released.columns
    old = {name: _dense(before[name]) for name in names}
    new = {name: _dense(released[name]) for name in names}
    return tuple(
        Correlation(one, other, cramers_v(old[one], old[other]), cramers_v(new[one], new[other]))
        for one, other in combinations(names, 2)
    )


def cramers_v(one: Ints, other: Ints) -> float:
    """sqrt(chi-squared / (n x (min(values of one, values of the other) - 1))), 0 where a column is constant.

    Cramér 1946, section 21.9; without bias correction. Codes are dense from 0.
    """
    rows, columns = int(one.max()) + 1, int(other.max()) + 1
    if min(rows, columns) < 2:
        return 0.0
    one_counts, other_counts = np.bincount(one), np.bincount(other)
    pair = one * columns + other
    if rows * columns <= _DENSE_TABLE:
        found = np.bincount(pair, minlength=rows * columns)
        cell = np.flatnonzero(found)
        found = found[cell]
    else:
        cell, found = np.unique(pair, return_counts=True)
    # chi-squared / n = sum of n_ij^2 / (n_i x n_j) - 1; cells without rows add nothing.
    expected = one_counts[cell // columns].astype(np.float64) * other_counts[cell % columns]
    chi = float((found.astype(np.float64) ** 2 / expected).sum()) - 1.0
    return float(np.sqrt(max(chi, 0.0) / (min(rows, columns) - 1)))


def _dense(cells: pl.Series) -> Ints:
    """Codes from 0 without gaps, equal where cells are equal."""
    if isinstance(cells.dtype, pl.Enum | pl.Categorical):
        codes = cells.to_physical().to_numpy().astype(np.int64)
        used = np.flatnonzero(np.bincount(codes))
        table = np.zeros(int(codes.max()) + 1, dtype=np.int64)
        table[used] = np.arange(len(used))
        dense: Ints = table[codes]
        return dense
    return (cells.rank("dense").to_numpy() - 1).astype(np.int64)


def names_of(pairs: Sequence[Correlation]) -> tuple[str, ...]:
    """The columns of a list of pairs, each once, in order."""
    return tuple(dict.fromkeys(name for pair in pairs for name in (pair.one, pair.other)))
