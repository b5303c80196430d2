"""Exact integer aggregates over integer columns. Each says by how much one patient's row can change it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.intp]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


def counted(codes: Codes, size: int, mask: Mask | None = None) -> list[int]:
    """How many rows have each code below ``size``. A row is in one cell: sqrt(2) in Euclidean norm."""
    found = np.bincount(codes if mask is None else codes[mask], minlength=size)
    return [int(number) for number in found]


def pairs(rows: Codes, columns: Codes, size: tuple[int, int], mask: Mask | None = None) -> list[int]:
    """``counted`` over both codes together, row by row."""
    return counted(rows * size[1] + columns, size[0] * size[1], mask)


def total(values: Integers, middle: int, mask: Mask | None = None) -> tuple[int, int]:
    """(number of rows, sum of value - middle). A row moves them by (1, its distance from the middle)."""
    chosen = values if mask is None else values[mask]
    return len(chosen), int((chosen - middle).sum())


def moments(x: Integers, y: Integers) -> list[int]:
    """[n, sum x, sum y, sum x^2, sum xy, sum y^2]; the caller has bounded x and y."""
    return [len(x), *(int(number) for number in (x.sum(), y.sum(), x @ x, x @ y, y @ y))]


def ranks(values: Integers, candidates: Integers) -> tuple[Integers, Integers]:
    """(rows below, rows above) each candidate; candidates ascend in equal steps and hold every value."""
    first, step = int(candidates[0]), int(candidates[1] - candidates[0])
    held = np.bincount((values - first) // step, minlength=len(candidates))
    up_to = np.cumsum(held)
    return up_to - held, len(values) - up_to


def joined(mask: Mask | None, other: Mask) -> Mask:
    return other if mask is None else mask & other
