"""Strict multidimensional partitioning over generalisation hierarchies, with NumPy.

After Mondrian (LeFevre, DeWitt, Ramakrishnan 2006), with three changes. A class is cut into *all* the child
groups of one attribute's hierarchy, never at a median, so that the published groups of any two classes are
disjoint in at least one attribute: no class lies inside another, which is what makes minimal generalisation
open to downcoding (Cohen 2022). A child with fewer than k patients may be suppressed when that gains more
than it costs. The attribute is chosen by loss gained over how evenly it divides, and below ``ROLLOUT_ROWS``
by trying the best few to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backend.research.hierarchy import Hierarchy

Ints = NDArray[np.int64]

ROLLOUT_ROWS = 2_000
ROLLOUT_WIDTH = 3


@dataclass(frozen=True, slots=True)
class Box:
    """One class: its rows (places in the input) and the depth at which each attribute is published."""

    rows: Ints
    depths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Cut:
    """A way to cut a class: ``child[i]`` is the group of its i-th row; groups in ``small`` are suppressed."""

    score: float
    attribute: int
    box: Box  # the class before the cut, tightened
    child: NDArray[np.int32]
    small: NDArray[np.bool_]

    def parts(self) -> tuple[list[Box], Ints]:
        """The classes after the cut, and the rows that it suppresses."""
        depths = tuple(depth + (place == self.attribute) for place, depth in enumerate(self.box.depths))
        order = np.argsort(self.child, kind="stable")
        rows, child = self.box.rows[order], self.child[order]
        gone = self.small[child]
        dropped = rows[gone]
        if len(dropped):
            rows, child = rows[~gone], child[~gone]
        groups = np.split(rows, np.flatnonzero(np.diff(child)) + 1)
        return [Box(group, depths) for group in groups], dropped


@dataclass(slots=True)
class Partition:
    """Partitions rows of codes. ``patients`` numbers the patient of each row; ``weight`` counts its rows.

    When each patient has one row, equal rows may come merged: then ``patients`` is None and ``weight``
    counts.
    """

    codes: NDArray[np.int32]  # rows x attributes
    hierarchies: Sequence[Hierarchy]
    weight: Ints
    patients: Ints | None
    k: int
    suppressible: float  # weight that may be suppressed at most
    boxes: list[Box] = field(default_factory=list)
    suppressed: list[Ints] = field(default_factory=list)
    _loss: list[NDArray[np.float64]] = field(default_factory=list)

    def run(self) -> None:
        """Fill ``boxes`` and ``suppressed``. The whole must have at least k patients."""
        self._loss = [hierarchy.loss() for hierarchy in self.hierarchies]
        open_boxes = [Box(np.arange(len(self.codes)), (0,) * len(self.hierarchies))]
        while open_boxes:
            box = self._tighten(open_boxes.pop())
            cut = self._choose(box)
            if cut is None:
                self.boxes.append(box)
                continue
            parts, dropped = cut.parts()
            if len(dropped):
                self.suppressed.append(dropped)
                self.suppressible -= float(self.weight[dropped].sum())
            open_boxes.extend(parts)

    def _choose(self, box: Box) -> _Cut | None:
        cuts = self._cuts(box)
        if not cuts:
            return None
        if len(cuts) == 1 or self.weight[box.rows].sum() > ROLLOUT_ROWS:
            return cuts[0]
        best, least = None, self._cost(box)
        for cut in cuts[:ROLLOUT_WIDTH]:
            cost = self._rollout_of(cut)
            if cost < least:
                best, least = cut, cost
        return best

    def _rollout(self, box: Box) -> float:
        """Loss (in cells) when the first choice is taken from here to the end."""
        box = self._tighten(box)
        cuts = self._cuts(box)
        return self._rollout_of(cuts[0]) if cuts else self._cost(box)

    def _rollout_of(self, cut: _Cut) -> float:
        parts, dropped = cut.parts()
        lost = float(self.weight[dropped].sum()) * len(self.hierarchies)
        return lost + sum(self._rollout(part) for part in parts)

    def _cuts(self, box: Box) -> list[_Cut]:
        """Every cut that keeps k patients in each kept child and lessens the loss, best first."""
        weight = self.weight[box.rows]
        total = float(weight.sum())
        found: list[_Cut] = []
        if total < self.k:
            return found
        for place, hierarchy in enumerate(self.hierarchies):
            depth = box.depths[place]
            if depth == hierarchy.depth - 1:
                continue
            column = self.codes[box.rows, place]
            child = hierarchy.node[depth + 1, column]
            child -= child.min()
            sizes = np.bincount(child, weights=weight).astype(np.float64)
            small = self._patients(child, box.rows, sizes) < self.k
            dropped = float(sizes[small].sum())
            if dropped > self.suppressible or dropped == total:
                continue
            loss = self._loss[place]
            weight_kept = weight * ~small[child] if dropped else weight
            gain = (total - dropped) * loss[depth, column[0]] - float(weight_kept @ loss[depth + 1, column])
            gain -= dropped * len(self.hierarchies)  # a suppressed row costs all its cells
            if gain > 0:
                shares = sizes / total
                evenness = max(1.0 - float(shares @ shares), 1e-6)
                found.append(_Cut(gain / evenness, place, box, child, small))
        found.sort(key=lambda cut: (-cut.score, cut.attribute))
        return found

    def _patients(
        self, child: NDArray[np.int32], rows: Ints, sizes: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Distinct patients in each child."""
        if self.patients is None:
            return sizes
        pairs = np.unique(child.astype(np.int64) * (int(self.patients.max()) + 1) + self.patients[rows])
        counts = np.bincount(pairs // (int(self.patients.max()) + 1), minlength=len(sizes))
        return counts.astype(np.float64)

    def _tighten(self, box: Box) -> Box:
        """The class published at the smallest group that holds all its values, for each attribute."""
        codes = self.codes[box.rows]
        lows, highs = codes.min(axis=0).tolist(), codes.max(axis=0).tolist()
        depths = list(box.depths)
        for place, (low, high) in enumerate(zip(lows, highs, strict=True)):
            hierarchy = self.hierarchies[place]
            while depths[place] < hierarchy.depth - 1:
                below = hierarchy.node[depths[place] + 1]
                if below[low] != below[high]:  # groups are intervals of codes
                    break
                depths[place] += 1
        return Box(box.rows, tuple(depths))

    def _cost(self, box: Box) -> float:
        first = self.codes[box.rows[0]]
        losses = zip(self._loss, box.depths, first, strict=True)
        return sum(float(loss[depth, code]) for loss, depth, code in losses) * float(
            self.weight[box.rows].sum()
        )
