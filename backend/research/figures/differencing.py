"""Whether sums of known cells give away a small group: exact, over the memberships themselves.

Patients that stand in the same cells are one atom; what a released cell says is a sum over atoms. A group
(a union of atoms) can be computed from what is released exactly when its indicator lies in the row space of
the cells (Denning and Schloerer 1983, general trackers; here by elimination). Of interest are groups below
the minimum only, so vectors that are zero on every larger atom are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]
PRIME: Final = 2_147_483_647
MAX_ATOMS: Final = 5_000
MAX_SUBSETS: Final = 100_000


def gives_away(known: Sequence[Mask], *, all_cells: Sequence[Mask], minimum: int) -> bool:
    """Tell whether the number of a group of fewer than ``minimum`` patients follows from ``known`` cells.

    ``all_cells`` are all that were asked for, released or not: what tells patients apart. Says yes also where
    too many cells overlap to be sure.
    """
    patients = len(all_cells[0]) if all_cells else 0
    every = np.array([*known, *all_cells], dtype=np.bool_).reshape(len(known) + len(all_cells), patients)
    atoms, sizes = _atoms(every)
    if atoms.shape[1] > MAX_ATOMS:
        return True
    small = sizes < minimum
    # Large atoms first: rows of the echelon form that begin behind them are zero on every one of them.
    order = np.concatenate([np.flatnonzero(~small), np.flatnonzero(small)])
    matrix = atoms[: len(known)][:, order].astype(np.int64)
    pivots, rows = _echelon(matrix)
    first_small = int(np.count_nonzero(~small))
    keep = [place for place, pivot in enumerate(pivots) if pivot >= first_small]
    return _has_small_group(
        rows[keep][:, first_small:],
        [pivots[place] - first_small for place in keep],
        sizes[order][first_small:],
        minimum,
    )


def rank(matrix: Integers) -> int:
    """The rank of rows of zeros and ones modulo a prime: over the rationals it is at least that."""
    return len(_echelon(matrix)[0])


def _atoms(cells: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Integers]:
    """(cells x atoms, patients of each atom)."""
    if cells.shape[1] == 0:
        return cells, np.zeros(0, np.int64)
    found, sizes = np.unique(cells, axis=1, return_counts=True)
    return found, sizes.astype(np.int64)


def _echelon(matrix: Integers) -> tuple[list[int], Integers]:
    """Reduced row echelon form modulo a prime: (pivot columns, rows without the empty ones)."""
    rows, pivots, top = matrix % PRIME, [], 0
    for column in range(rows.shape[1]):
        below = np.flatnonzero(rows[top:, column])
        if len(below) == 0:
            continue
        swap = top + int(below[0])
        rows[[top, swap]] = rows[[swap, top]]
        rows[top] = rows[top] * pow(int(rows[top, column]), -1, PRIME) % PRIME
        factors = rows[:, column].copy()
        factors[top] = 0
        rows = (rows - factors[:, None] * rows[top] % PRIME) % PRIME
        pivots.append(column)
        top += 1
        if top == len(rows):
            break
    return pivots, rows[:top]


def _has_small_group(rows: Integers, pivots: list[int], sizes: Integers, minimum: int) -> bool:
    """Whether some sum of rows is an indicator of fewer than ``minimum`` patients.

    On its own pivots such a sum is 1 or 0, so it is the sum of a subset of the rows.
    """
    weights = [int(sizes[pivot]) for pivot in pivots]
    tried = 0
    pending: list[tuple[int, int, Integers]] = [(0, 0, np.zeros(rows.shape[1], np.int64))]
    while pending:
        start, weight, total = pending.pop()
        for place in range(start, len(rows)):
            if weight + weights[place] >= minimum:
                continue
            tried += 1
            if tried > MAX_SUBSETS:
                return True
            together = (total + rows[place]) % PRIME
            if bool(np.all(together <= 1)) and int(sizes @ together) < minimum:
                return True
            pending.append((place + 1, weight + weights[place], together))
    return False
