"""Generalisation hierarchies: from a value, through ever wider groups, to one root.

Text form (the one ARX uses): a line a value, ``value;group;wider group;*``, all lines equally long. Level 0
is the value, the last level the root. Inside, values are numbered in depth-first order, so that every group
is one interval of codes; then the smallest group over a set of codes follows from its least and greatest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.research.anonymize.errors import HierarchyInvalid

Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """The hierarchy of one column. A code is a place in ``leaves``.

    ``low`` and ``high`` (levels x leaves) are the first and the last code of the group that a leaf belongs
    to at a level. ``names[level][leaf]`` is that group's label. ``interval[label]`` is its (first, last).
    """

    column: str
    leaves: tuple[str, ...]
    low: Codes
    high: Codes
    names: tuple[tuple[str, ...], ...]
    interval: Mapping[str, tuple[int, int]]

    @classmethod
    def parse(cls, lines: Iterable[Sequence[str]], *, column: str) -> Hierarchy:
        """Build a hierarchy from (value, group, ..., root) lines.

        Raises HierarchyInvalid, naming the column, when lines differ in length, have no common root, repeat
        a value, or give one label two meanings (then nobody could tell what a published label stands for).
        """
        paths = [tuple(reversed(line)) for line in lines]
        if not paths or len({len(path) for path in paths}) != 1:
            raise HierarchyInvalid(f"hierarchy {column}: lines differ in length", field=column)
        if not paths[0] or len({path[0] for path in paths}) != 1:
            raise HierarchyInvalid(f"hierarchy {column}: lines do not end in one root", field=column)
        if len({path[-1] for path in paths}) != len(paths):
            raise HierarchyInvalid(f"hierarchy {column} repeats a value", field=column)
        paths = _depth_first(paths)
        low = np.empty((len(paths[0]), len(paths)), dtype=np.int32)
        high = np.empty_like(low)
        interval: dict[str, tuple[int, int]] = {}
        for level in range(len(paths[0])):
            depth = len(paths[0]) - 1 - level
            starts = [
                code
                for code, path in enumerate(paths)
                if code == 0 or path[: depth + 1] != paths[code - 1][: depth + 1]
            ]
            ends = [*starts[1:], len(paths)]
            widths = np.diff([*starts, len(paths)])
            low[level] = np.repeat(starts, widths)
            high[level] = np.repeat(ends, widths) - 1
            for start, end in zip(starts, ends, strict=True):
                if interval.setdefault(paths[start][depth], (start, end - 1)) != (start, end - 1):
                    raise HierarchyInvalid(f"hierarchy {column} uses a label twice", field=column)
        names = tuple(tuple(path[depth] for path in paths) for depth in range(len(paths[0]) - 1, -1, -1))
        return cls(column, names[0], low, high, names, interval)

    @property
    def size(self) -> int:
        """How many values the domain has."""
        return len(self.leaves)

    @property
    def height(self) -> int:
        """The level of the root; level 0 are the values themselves."""
        return len(self.names) - 1

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that can be published, each once."""
        return tuple(self.interval)

    def label(self, level: int, leaf: int) -> str:
        """The label at a level of the group that holds a leaf code."""
        return self.names[level][leaf]

    def leaves_of(self, label: str) -> tuple[int, int]:
        """The first and the last code of a label's group; raises KeyError for a label it does not have."""
        return self.interval[label]

    def loss(self) -> NDArray[np.float64]:
        """``[level, leaf]``: (leaves - 1) / (domain - 1) of the group, the normalised certainty penalty."""
        return (self.high - self.low) / max(self.size - 1, 1)

    def lca(self, first: ArrayLike, last: ArrayLike) -> NDArray[np.int64]:
        """The lowest level whose group holds both codes (arrays, element by element)."""
        one, other = np.asarray(first), np.asarray(last)
        above: NDArray[np.int64] = np.sum(self.low[:, one] != self.low[:, other], axis=0, dtype=np.int64)
        return above


def _depth_first(paths: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The paths (root first) so ordered that each group stands together, in the order first seen."""
    rank: dict[tuple[str, ...], int] = {}
    for path in paths:
        for end in range(1, len(path) + 1):
            rank.setdefault(path[:end], len(rank))
    return sorted(paths, key=lambda path: [rank[path[:end]] for end in range(1, len(path) + 1)])
