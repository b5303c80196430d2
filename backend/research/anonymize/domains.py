"""A hierarchy as the verifier and the report read it: which values each label stands for.

Written apart from ``hierarchy.py`` on purpose: a fault in the engine's reading must not be repeated here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from backend.research.anonymize.refusals import ReleaseUnverified

Lines = Iterable[Sequence[str]]  # (value, group, ..., root) for each value, as in a hierarchy file
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """Label i stands for the values ``first[i]`` to ``last[i]`` (places in ``values``, both included).

    ``level[i]`` is the lowest level on which a label stands (0: a value, ``height``: the root).
    """

    column: str
    values: tuple[str, ...]
    labels: tuple[str, ...]
    first: Ints
    last: Ints
    level: Ints
    height: int

    @property
    def span(self) -> Ints:
        """How many values each label stands for."""
        return self.last - self.first + 1

    @property
    def loss(self) -> NDArray[np.float64]:
        """For each label (values - 1) / (all values - 1), the normalised certainty penalty of a cell."""
        return (self.span - 1) / max(len(self.values) - 1, 1)

    def label_codes(self, cells: pl.Series) -> Codes:
        """The places in ``labels`` of released cells; raises ReleaseUnverified for one that is no label."""
        return _codes(cells, self.labels, f"column {self.column}: a released group is not in its hierarchy")

    def value_codes(self, cells: pl.Series) -> Codes:
        """The places in ``values`` of original cells; raises ReleaseUnverified for one that is no value."""
        return _codes(cells, self.values, f"column {self.column}: an original value is not in its hierarchy")


def read_domains(lines: Mapping[str, Lines]) -> dict[str, Domain]:
    """Return the domain of each column."""
    return {column: read_domain(column, found) for column, found in lines.items()}


def read_domain(column: str, lines: Lines) -> Domain:
    """Sort the values by their path from the root and collect the places of each label.

    Raises ReleaseUnverified when a label's values do not stand together: then it is no group of a tree.
    """
    paths = sorted(tuple(reversed(line)) for line in lines)
    if not paths:
        raise ReleaseUnverified(f"column {column}: an empty hierarchy")
    places: dict[str, list[int]] = {}
    level: dict[str, int] = {}
    for place, path in enumerate(paths):
        for depth, label in enumerate(path):
            found = places.setdefault(label, [])
            if not found or found[-1] != place:
                found.append(place)
            level[label] = min(level.get(label, len(path)), len(path) - 1 - depth)
    for found in places.values():
        if found[-1] - found[0] + 1 != len(found):
            raise ReleaseUnverified(f"column {column}: a label of the hierarchy stands for several groups")
    labels = tuple(places)
    return Domain(
        column=column,
        values=tuple(path[-1] for path in paths),
        labels=labels,
        first=np.array([places[label][0] for label in labels], dtype=np.int64),
        last=np.array([places[label][-1] for label in labels], dtype=np.int64),
        level=np.array([level[label] for label in labels], dtype=np.int64),
        height=len(paths[0]) - 1,
    )


def _codes(cells: pl.Series, known: tuple[str, ...], refusal: str) -> Codes:
    if cells.null_count():
        raise ReleaseUnverified(refusal)
    if isinstance(cells.dtype, pl.Enum):
        # Coded already: only the dictionary of strings has to be looked up.
        place = {label: number for number, label in enumerate(known)}
        table = np.array([place.get(label, -1) for label in cells.dtype.categories], dtype=np.int32)
        codes: Codes = table[cells.to_physical().to_numpy()]
        if bool((table < 0).any()) and bool((codes < 0).any()):
            raise ReleaseUnverified(refusal)
        return codes
    try:
        coded = cells.cast(pl.String).cast(pl.Enum(known))
    except pl.exceptions.PolarsError:
        raise ReleaseUnverified(refusal) from None
    found: Codes = coded.to_physical().to_numpy().astype(np.int32)
    return found
