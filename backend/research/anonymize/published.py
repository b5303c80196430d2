"""Published classes, found again from what is published: rows whose released cells are all equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from backend.research.anonymize.domains import Domain, Ints
from backend.research.anonymize.refusals import ReleaseUnverified

_WIDEST_KEY = 2**63


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """Class c has ``rows[c]`` rows and ``people[c]`` distinct patients and the released cells
    ``labels[column][c]`` (places in the column's domain). ``of_row`` tells the class of each released row.
    """

    of_row: NDArray[np.uint32]
    rows: Ints
    people: Ints
    labels: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.rows)


def classes_of(
    released: pl.DataFrame, domains: Mapping[str, Domain], patients: pl.Series | None = None
) -> Classes:
    """Group the rows of ``released`` by the columns that have a domain.

    ``patients`` names the patient of each row; without it each row is another patient's. Raises
    ReleaseUnverified for a cell that is no label of its column's hierarchy.
    """
    own = {name: domain.own_codes(released[name]) for name, domain in domains.items()}
    key = pl.Series(
        "key", joint_key([codes for codes, _ in own.values()], [len(place) for _, place in own.values()])
    )
    groups = (
        pl.DataFrame([key])
        .with_row_index("row")
        .group_by("key")
        .agg(pl.len().alias("rows"), pl.col("row").first())
        .sort("key")
        .with_row_index("class")
    )
    # A left join keeps the order of the rows.
    of_row = key.to_frame().join(groups.select("key", "class"), on="key", how="left", maintain_order="left")
    member = of_row["class"]
    rows = groups["rows"].to_numpy().astype(np.int64)
    people = rows
    if patients is not None:
        pairs = pl.DataFrame([member, patients.alias("patient")]).unique()
        people = np.bincount(pairs["class"].to_numpy(), minlength=len(rows)).astype(np.int64)
    example = groups["row"].to_numpy()  # each code that there is, is in some class
    labels = {name: place[codes[example]].astype(np.int64) for name, (codes, place) in own.items()}
    for name, found in labels.items():
        if bool((found < 0).any()):
            raise ReleaseUnverified(domains[name].no_label)
    return Classes(
        member.to_numpy(),
        rows,
        people,
        labels,
    )


def joint_key(codes: Sequence[NDArray[Any]], sizes: Sequence[int]) -> Ints:
    """One number for each combination of codes, equal exactly where all codes are equal.

    A mixed-radix number; where that would pass 63 bits, what was joined so far is numbered anew.
    """
    key = np.zeros(len(codes[0]), dtype=np.int64)
    span = 1
    for column, size in zip(codes, sizes, strict=True):
        if span * size >= _WIDEST_KEY:
            distinct, key = np.unique(key, return_inverse=True)
            span = len(distinct)
        key = key * size + column
        span *= size
    return key
