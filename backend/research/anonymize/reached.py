"""What the classes of a release tell about a sensitive column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from backend.research.anonymize.domains import Codes, Ints, text_codes
from backend.research.anonymize.published import Classes

_DENSE_COUNTS = 20_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """The worst class of a release for one sensitive column. Rows count, as in the papers.

    ``distinct``: the fewest different values in a class. ``entropy``: the smallest exp(H), H being the
    entropy of a class's values in nats, so that entropy l-diversity means ``entropy >= l``. ``distance``: the
    largest distance between the values of a class and those of the whole input: half the sum of absolute
    differences, which is the earth mover's distance with equal ground distance (Li et al. 2007, section 4).
    ``counts`` holds (class, count) of each value in each class.
    """

    distinct: int
    entropy: float
    distance: float
    counts: pl.DataFrame

    def recursive(self, l: int) -> float:  # noqa: E741 -- the letter of the definition
        """The largest r1 / (r_l + r_l+1 + ...) of a class, infinite where the sum is empty.

        Recursive (c, l)-diversity holds for every c above it.
        """
        place = pl.int_range(pl.len()).over("class")
        sums = (
            self.counts.sort("class", "count", descending=[False, True])
            .with_columns(place.alias("place"))
            .group_by("class")
            .agg(
                pl.col("count").first().alias("most"),
                pl.col("count").filter(pl.col("place") >= l - 1).sum().alias("tail"),
            )
        )
        most, tail = sums["most"].to_numpy(), sums["tail"].to_numpy()
        if int(tail.min()) == 0:
            return float("inf")
        return float((most / tail).max())


def reached(classes: Classes, released: pl.Series, before: pl.Series) -> Reached:
    """Count a sensitive column: ``released`` beside the classes' rows, ``before`` over the whole input."""
    names, shares = _distribution(before)
    values = _numbered(released, names)
    pairs = classes.of_row.astype(np.int64) * len(names) + values
    member, value, count = _counted(pairs, len(classes), len(names))
    share = count / classes.rows[member]
    size = len(classes)
    distinct = np.bincount(member, minlength=size)
    entropy = np.bincount(member, weights=-share * np.log(share), minlength=size)
    # What a class lacks altogether counts with its whole share of the table.
    apart = np.bincount(member, weights=np.abs(share - shares[value]), minlength=size)
    lacking = 1.0 - np.bincount(member, weights=shares[value], minlength=size)
    return Reached(
        distinct=int(distinct.min()),
        entropy=float(np.exp(entropy.min())),
        distance=float(((apart + lacking) / 2).max()),
        counts=pl.DataFrame({"class": member, "count": count}),
    )


def _counted(pairs: Ints, classes: int, values: int) -> tuple[Ints, Ints, Ints]:
    """(class, value, count) of each pair of a class and a value that there is, ordered by class."""
    if classes * values <= _DENSE_COUNTS:
        counts = np.bincount(pairs, minlength=classes * values)
        found = np.flatnonzero(counts)
        count = counts[found]
    else:
        found, count = np.unique(pairs, return_counts=True)
    return found // values, found % values, count


def _distribution(before: pl.Series) -> tuple[list[str], NDArray[np.float64]]:
    found = before.value_counts(name="count")
    names = found[before.name].cast(pl.String).to_list()
    return names, found["count"].to_numpy() / before.len()


def _numbered(cells: pl.Series, names: list[str]) -> Codes:
    """The number of each cell's value; a value that the input does not have gets none and is refused."""
    return text_codes(cells, tuple(names), f"column {cells.name}: a released value is not one of the input")
