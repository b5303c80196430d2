"""A hierarchy as the verifier and the report read it: which values each label stands for.

Written apart from ``hierarchy.py`` on purpose: a fault in the engine's reading must not be repeated here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from backend.research.anonymize.refusals import ReleaseUnverified

Lines = Iterable[Sequence[str]]  # (value, group, ..., root) for each value, as in a hierarchy file
_LARGEST_TABLE = 20_000_000
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
    def label_of_value(self) -> Ints:
        """The label of each value itself."""
        place = {label: number for number, label in enumerate(self.labels)}
        return np.array([place[value] for value in self.values], dtype=np.int64)

    @property
    def loss(self) -> NDArray[np.float64]:
        """For each label (values - 1) / (all values - 1), the normalised certainty penalty of a cell."""
        return (self.span - 1) / max(len(self.values) - 1, 1)

    def label_codes(self, cells: pl.Series) -> Codes:
        """The places in ``labels`` of released cells; raises ReleaseUnverified for one that is no label."""
        return text_codes(cells, self.labels, self.no_label)

    def own_codes(self, cells: pl.Series) -> tuple[NDArray[Any], Codes]:
        """Codes of the cells' own, equal for equal labels alone, and for each the place in ``labels``.

        -1 is for one that is no label. Raises ReleaseUnverified where a cell is missing.
        """
        return _coded(cells, self.labels, self.no_label)

    def value_codes(self, cells: pl.Series) -> Codes:
        """The places in ``values`` of original cells; raises ReleaseUnverified for one that is no value."""
        return text_codes(cells, self.values, self._no_value)

    def all_hold(self, groups: pl.Series, values: pl.Series, kept: Ints) -> bool:
        """Whether group i of ``groups`` holds the value at ``kept[i]`` of ``values``, for every i.

        Raises ReleaseUnverified for a cell that is no label, or no value.
        """
        group, label = _coded(groups, self.labels, self.no_label)
        value, place = _coded(values, self.values, self._no_value)
        if len(label) * len(place) > _LARGEST_TABLE:
            codes, at = label[group], place[value][kept]
            inside = (self.first[codes] <= at) & (at <= self.last[codes])
            return bool((inside & (codes >= 0) & (at >= 0)).all())
        holds = (self.first[label][:, None] <= place) & (place <= self.last[label][:, None])
        holds &= (label >= 0)[:, None] & (place >= 0)
        # One look-up a row in the table of all pairs, whose codes are small.
        pair = group.astype(np.int32) * np.int32(len(place)) + value[kept]
        return bool(holds.reshape(-1)[pair].all())

    @property
    def no_label(self) -> str:
        """What is said of a cell that is no label."""
        return f"column {self.column}: a released group is not in its hierarchy"

    @property
    def _no_value(self) -> str:
        return f"column {self.column}: an original value is not in its hierarchy"


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


def text_codes(cells: pl.Series, known: tuple[str, ...], refusal: str) -> Codes:
    """The place in ``known`` of each cell's text; raises ReleaseUnverified (``refusal``) where it is not."""
    physical, place = _coded(cells, known, refusal)
    codes: Codes = place[physical]
    if bool((place < 0).any()) and bool((codes < 0).any()):
        raise ReleaseUnverified(refusal)
    return codes


def _coded(cells: pl.Series, known: tuple[str, ...], refusal: str) -> tuple[NDArray[Any], Codes]:
    """The cells' own small codes, and for each the place of its text in ``known`` (-1: it is not there).

    Where cells are coded already, only their dictionary of strings has to be looked up.
    """
    if cells.null_count():
        raise ReleaseUnverified(refusal)
    if not isinstance(cells.dtype, pl.Enum):
        try:
            cells = cells.cast(pl.String).cast(pl.Enum(known))
        except pl.exceptions.PolarsError:
            raise ReleaseUnverified(refusal) from None
    place = {text: number for number, text in enumerate(known)}
    found = [place.get(text, -1) for text in cells.dtype.categories]  # type: ignore[attr-defined]
    return cells.to_physical().to_numpy(), np.array(found, dtype=np.int32)
