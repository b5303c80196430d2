"""Cutting classes further, in two at a place in the order of one column's codes.

The published groups of the two halves may overlap, so this is for classes that may lie inside each other.
After Mondrian (LeFevre, DeWitt, Ramakrishnan 2006); the place is where the column's own loss falls most, not
the median, and in small classes the column is the one whose halves, cut on greedily to the end, lose least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.boxes import cost_over, measure
from backend.research.anonymize.criteria import holds, scratch_for
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Ids, Ints, Problem, Rule, Tree, Tuples

ROLLOUT_TUPLES = 1_000
GAIN = 1e-9  # smaller gains are rounding


def refine(problem: Problem, class_of: Ids, classes: int) -> tuple[Ids, int]:
    """Cut each class as far as it gains; return the class of each tuple (-1 stays) and their number."""
    scratch = scratch_for(problem.rule)
    order = np.argsort(class_of, kind="stable").astype(np.int32)
    starts = np.searchsorted(class_of[order], np.arange(classes + 1)).astype(np.int64)
    return _refine(problem.tuples, problem.tree, problem.rule, order, starts, scratch, ROLLOUT_TUPLES)


@kernel
def _place(
    tuples: Tuples, tree: Tree, rule: Rule, order: Ids, start: int, stop: int, column: int, hist: Ints
) -> tuple[float, int]:
    """(gain, last code of the left half) of a column's best cut that leaves k in both halves, or (0, -1).

    ``hist`` comes and goes as zeros, rows at [0] and patients (no fewer than there are) at [1], by code.
    """
    low = high = tuples.codes[order[start], column]
    rows = heads = 0
    for place in range(start, stop):
        one = order[place]
        code = tuples.codes[one, column]
        low, high = min(low, code), max(high, code)
        hist[0, code] += tuples.rows[one]
        hist[1, code] += tuples.heads[one]
        rows += tuples.rows[one]
        heads += tuples.heads[one]
    whole = cost_over(tree, column, low, high)
    gain, cut = 0.0, -1
    before, left, left_heads = -1, 0, 0
    for code in range(low, high + 1):
        if hist[0, code] == 0:
            continue
        if before >= 0 and left_heads >= rule.k and heads - left_heads >= rule.k:
            kept = left * cost_over(tree, column, low, before)
            kept += (rows - left) * cost_over(tree, column, code, high)
            if rows * whole - kept > gain + GAIN:
                gain, cut = rows * whole - kept, before
        before = code
        left += hist[0, code]
        left_heads += hist[1, code]
        hist[:, code] = 0
    return gain, cut


@kernel
def _halve(tuples: Tuples, order: Ids, start: int, stop: int, column: int, cut: int, spare: Ids) -> int:
    """Put tuples up to code ``cut`` first, each half in its old order; return where the second begins."""
    kept, moved = start, 0
    for place in range(start, stop):
        one = order[place]
        if tuples.codes[one, column] <= cut:
            order[kept] = one
            kept += 1
        else:
            spare[moved] = one
            moved += 1
    order[kept:stop] = spare[:moved]
    return kept


@kernel
def _cut(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    order: Ids,
    start: int,
    stop: int,
    column: int,
    hist: Ints,
    spare: Ids,
    scratch: Ints,
) -> int:
    """Cut at the best place; return where the second half begins, or -1 when no cut gains or may be."""
    _, cut = _place(tuples, tree, rule, order, start, stop, column, hist)
    if cut < 0:
        return -1
    middle = _halve(tuples, order, start, stop, column, cut, spare)
    if rule.plain or (
        holds(tuples, rule, order, start, middle, scratch)
        and holds(tuples, rule, order, middle, stop, scratch)
    ):
        return middle
    return -1


@kernel
def _widest(tree: Tree, low: Ids, high: Ids, tried: NDArray[np.bool_]) -> int:
    """The column not yet tried whose published group costs most, or -1."""
    widest, most = -1, 0.0
    for column in range(len(low)):
        cost = cost_over(tree, column, low[column], high[column])
        if not tried[column] and cost > most:
            widest, most = column, cost
    return widest


@kernel
def _cut_widest(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    order: Ids,
    start: int,
    stop: int,
    low: Ids,
    high: Ids,
    tried: NDArray[np.bool_],
    hist: Ints,
    spare: Ids,
    scratch: Ints,
) -> int:
    """Cut order[start:stop] by the widest column that can be cut; return where, or -1."""
    tried[:] = False
    middle = -1
    while middle < 0:
        column = _widest(tree, low, high, tried)
        if column < 0:
            break
        tried[column] = True
        middle = _cut(tuples, tree, rule, order, start, stop, column, hist, spare, scratch)
    return middle


@kernel
def _greedily(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    order: Ids,
    begin: int,
    end: int,
    hist: Ints,
    spare: Ids,
    scratch: Ints,
) -> float:
    """The loss (in rows) of order[begin:end] when always the widest column is cut; reorders it."""
    columns = tuples.codes.shape[1]
    low, high = np.empty(columns, np.int32), np.empty(columns, np.int32)
    tried = np.zeros(columns, np.bool_)
    todo = np.empty((end - begin + 1, 2), np.int64)
    todo[0, 0], todo[0, 1] = begin, end
    waiting, lost = 1, 0.0
    while waiting > 0:
        waiting -= 1
        start, stop = todo[waiting]
        loss, rows = measure(tuples, tree, order, start, stop, low, high)
        middle = -1
        if rows >= 2 * rule.k:
            middle = _cut_widest(
                tuples, tree, rule, order, start, stop, low, high, tried, hist, spare, scratch
            )
        if middle < 0:
            lost += loss * rows
            continue
        todo[waiting, 0], todo[waiting, 1] = start, middle
        todo[waiting + 1, 0], todo[waiting + 1, 1] = middle, stop
        waiting += 2
    return lost


@kernel
def _choose(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    order: Ids,
    start: int,
    stop: int,
    low: Ids,
    high: Ids,
    whole: float,
    hist: Ints,
    spare: Ids,
    scratch: Ints,
    trial: Ids,
) -> int:
    """The column whose cut, gone on with greedily, loses least; -1 when none loses less than ``whole``."""
    chosen, least = -1, whole - GAIN
    for column in range(len(low)):
        if low[column] == high[column]:
            continue
        trial[start:stop] = order[start:stop]
        middle = _cut(tuples, tree, rule, trial, start, stop, column, hist, spare, scratch)
        if middle < 0:
            continue
        lost = _greedily(tuples, tree, rule, trial, start, middle, hist, spare, scratch)
        lost += _greedily(tuples, tree, rule, trial, middle, stop, hist, spare, scratch)
        if lost < least:
            chosen, least = column, lost
    return chosen


@kernel
def _refine(
    tuples: Tuples, tree: Tree, rule: Rule, order: Ids, starts: Ints, scratch: Ints, rollout: int
) -> tuple[Ids, int]:
    count, columns = tuples.codes.shape
    class_of = np.full(count, -1, np.int32)
    hist = np.zeros((2, tree.low.shape[2]), np.int64)
    spare, trial = np.empty(count, np.int32), np.empty(count, np.int32)
    low, high = np.empty(columns, np.int32), np.empty(columns, np.int32)
    tried = np.zeros(columns, np.bool_)
    todo = np.empty((count + 1, 2), np.int64)
    classes = 0
    for one in range(len(starts) - 1):
        todo[0, 0], todo[0, 1] = starts[one], starts[one + 1]
        waiting = 1
        while waiting > 0:
            waiting -= 1
            start, stop = todo[waiting]
            middle, rows = -1, 0
            for place in range(start, stop):
                rows += tuples.rows[order[place]]
            if stop - start > 1 and rows >= 2 * rule.k:
                loss, rows = measure(tuples, tree, order, start, stop, low, high)
                if loss > 0.0 and stop - start <= rollout:
                    column = _choose(
                        tuples, tree, rule, order, start, stop, low, high, loss * rows, hist, spare, scratch,
                        trial,
                    )  # fmt: skip
                    if column >= 0:
                        middle = _cut(tuples, tree, rule, order, start, stop, column, hist, spare, scratch)
                elif loss > 0.0:
                    middle = _cut_widest(
                        tuples, tree, rule, order, start, stop, low, high, tried, hist, spare, scratch
                    )
            if middle < 0:
                for place in range(start, stop):
                    class_of[order[place]] = classes
                classes += 1
                continue
            todo[waiting, 0], todo[waiting, 1] = start, middle
            todo[waiting + 1, 0], todo[waiting + 1, 1] = middle, stop
            waiting += 2
    return class_of, classes
