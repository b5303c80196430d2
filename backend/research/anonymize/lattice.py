"""The lattice of levels, ranked by the loss that its nodes would mean for the tuples still left."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Floats, Ids, Ints, Tree, Tuples

MAX_NODES = 1 << 15


class Lattice(NamedTuple):
    """``nodes`` (nodes x columns) are levels. Columns of one ``ladder`` rise together, in its ``steps``, to
    ``level[column, step]``; nodes are all combinations of steps, the last ladder's changing fastest."""

    nodes: Ints
    ladder: Ints
    steps: Ints
    level: Ints


def lattice_of(tree: Tree) -> Lattice:
    """All combinations of levels. Where there are too many, columns are tied two by two and rise together."""
    ladders = [[(column, int(height))] for column, height in enumerate(tree.height)]
    while _count(ladders) > MAX_NODES:
        ladders.sort(key=_steps)
        ladders = [ladders[0] + ladders[1], *ladders[2:]]
    steps = np.array([_steps(ladder) for ladder in ladders], dtype=np.int64)
    ladder_of = np.zeros(len(tree.height), dtype=np.int64)
    level = np.zeros((len(tree.height), int(steps.max()) + 1), dtype=np.int64)
    for place, ladder in enumerate(ladders):
        for column, height in ladder:
            ladder_of[column] = place
            level[column] = -(-np.arange(level.shape[1]) * height // max(int(steps[place]), 1))
    combinations = np.unravel_index(np.arange(_count(ladders)), tuple(steps + 1))
    nodes = np.stack([own[combinations[place]] for own, place in zip(level, ladder_of, strict=True)], axis=1)
    return Lattice(nodes, ladder_of, steps, level)


def _steps(ladder: list[tuple[int, int]]) -> int:
    return max(height for _, height in ladder)


def _count(ladders: list[list[tuple[int, int]]]) -> int:
    product = 1
    for ladder in ladders:
        product *= _steps(ladder) + 1
    return product


@kernel
def margins_of(tuples: Tuples, tree: Tree) -> Floats:
    """The loss (in rows) of each column at each of its levels."""
    margins = np.zeros(tree.low.shape[:2])
    for one in range(len(tuples.rows)):
        count_out(tuples, tree, one, -tuples.rows[one], margins)
    return margins


@kernel
def count_out(tuples: Tuples, tree: Tree, one: int, rows: int, margins: Floats) -> None:
    """Take so many rows of a tuple out of ``margins``."""
    for column in range(len(margins)):
        code = tuples.codes[one, column]
        for level in range(tree.height[column] + 1):
            margins[column, level] -= rows * tree.cost[column, level, code]


@kernel
def _losses(lattice: Lattice, margins: Floats, more: Floats, losses: Floats) -> None:
    """The loss (in rows) of each node: ladder after ladder, the sums so far are spread over its steps."""
    losses[0] = 0.0
    count = 1
    for ladder in range(len(lattice.steps)):
        steps = lattice.steps[ladder] + 1
        more[:steps] = 0.0
        for column in range(len(lattice.ladder)):
            if lattice.ladder[column] == ladder:
                for step in range(steps):
                    more[step] += margins[column, lattice.level[column, step]]
        for place in range(count - 1, -1, -1):  # from the end, so that no sum is lost before it is spread
            before = losses[place]
            for step in range(steps):
                losses[place * steps + step] = before + more[step]
        count *= steps


@kernel
def rank(
    lattice: Lattice,
    done: NDArray[np.bool_],
    margins: Floats,
    weight: int,
    best: Ids,
    kept: Floats,
    room: tuple[Floats, Floats],
) -> int:
    """Put the nodes not done of least mean loss into ``best``, rising (``kept``); return how many.

    ``room`` holds a number for each node and one for each step.
    """
    loss, more = room
    _losses(lattice, margins, more, loss)
    found = 0
    last = np.inf
    for node in range(len(loss)):
        if loss[node] >= last or done[node]:
            continue
        place = found if found < len(best) else found - 1
        while place > 0 and kept[place - 1] > loss[node]:
            kept[place] = kept[place - 1]
            best[place] = best[place - 1]
            place -= 1
        kept[place] = loss[node]
        best[place] = node
        found = min(found + 1, len(best))
        if found == len(best):
            last = kept[found - 1]
    for place in range(found):
        kept[place] /= weight
    return found
