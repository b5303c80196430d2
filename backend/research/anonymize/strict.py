"""Disjoint classes: a class is cut into *all* the groups of one column's hierarchy that it has rows in.

So the published groups of any two classes are disjoint in at least one column, and no class lies inside or
across another, which is what makes minimal generalisation open to downcoding (Cohen, "Attacks on
deidentification's defenses", 2022). A group that does not satisfy the rule is suppressed when that gains more
than it costs.

After Mondrian (LeFevre, DeWitt, Ramakrishnan 2006). The column is the one of largest gain over how evenly it
divides; in classes of few tuples, the one whose groups, cut on greedily to the end, lose least.
"""

from __future__ import annotations

import numpy as np

from backend.research.anonymize.boxes import cost_over, level_over, measure
from backend.research.anonymize.criteria import holds, scratch_for
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Ids, Ints, Problem, Rule, Tree, Tuples
from backend.research.anonymize.thinning import thinned

ROLLOUT_TUPLES = 400
GAIN = 1e-9  # smaller gains are rounding
PRICES = (1.0, 3.0, 9.0)  # of a suppressed row: its loss, then more while too many are suppressed


def strict(problem: Problem) -> tuple[Ids, int]:
    """Return the class of each tuple (-1: suppressed) and the number of classes.

    When one class of all rows, or of all but few enough of them (``thinned``), satisfies the rule, no more
    than the limit is suppressed.
    """
    staying = thinned(problem)
    if staying is None:
        return np.full(len(problem.tuples.rows), -1, dtype=np.int32), 0
    prices = (*PRICES, np.inf) if problem.suppressible > 0 else (np.inf,)
    scratch = scratch_for(problem.rule)
    for price in prices:
        class_of, classes = _cut_all(
            problem.tuples, problem.tree, problem.rule, staying, price, ROLLOUT_TUPLES, scratch
        )
        if problem.tuples.rows[class_of < 0].sum() <= problem.suppressible:
            break
    return class_of, classes


@kernel
def _divide(
    tuples: Tuples,
    tree: Tree,
    order: Ids,
    start: int,
    stop: int,
    column: int,
    level: int,
    spare: Ids,
    begins: Ids,
) -> None:
    """Put order[start:stop] by group at ``level`` of the column, each group in its old order."""
    low = tree.low[column, level]
    least = 1 << 30
    most = -1
    for place in range(start, stop):
        group = low[tuples.codes[order[place], column]]
        least, most = min(least, group), max(most, group)
    begins[: most - least + 2] = 0
    for place in range(start, stop):
        begins[low[tuples.codes[order[place], column]] - least + 1] += 1
    for group in range(most - least):
        begins[group + 1] += begins[group]
    for place in range(start, stop):
        group = low[tuples.codes[order[place], column]] - least
        spare[begins[group]] = order[place]
        begins[group] += 1
    order[start:stop] = spare[: stop - start]


@kernel
def _end(tuples: Tuples, tree: Tree, order: Ids, start: int, stop: int, column: int, level: int) -> int:
    """Where the group that begins at ``start`` ends, in what ``_divide`` ordered."""
    low = tree.low[column, level]
    group = low[tuples.codes[order[start], column]]
    place = start + 1
    while place < stop and low[tuples.codes[order[place], column]] == group:
        place += 1
    return place


@kernel
def _score(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    price: float,
    order: Ids,
    start: int,
    stop: int,
    column: int,
    level: int,
    loss: float,
    spare: Ids,
    begins: Ids,
    scratch: Ints,
) -> float:
    """Gain over evenness of cutting order[start:stop] (reordered) into groups at ``level``; 0 for none."""
    _divide(tuples, tree, order, start, stop, column, level, spare, begins)
    gain, squares, total = 0.0, 0.0, 0
    kept = False
    begin = start
    while begin < stop:
        end = _end(tuples, tree, order, begin, stop, column, level)
        rows = 0
        low = high = tuples.codes[order[begin], column]
        for place in range(begin, end):
            rows += tuples.rows[order[place]]
            low = min(low, tuples.codes[order[place], column])
            high = max(high, tuples.codes[order[place], column])
        if holds(tuples, rule, order, begin, end, scratch):
            kept = True
            gain += rows * (tree.cost[column, level + 1, low] - cost_over(tree, column, low, high))
        else:
            if price == np.inf:
                return 0.0
            gain -= rows * price * (1.0 - loss)
        squares += float(rows) * rows
        total += rows
        begin = end
    if not kept or gain <= GAIN:
        return 0.0
    return gain / max(1.0 - squares / (float(total) * total), 1e-6)


@kernel
def _score_by_code(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    price: float,
    order: Ids,
    start: int,
    stop: int,
    column: int,
    level: int,
    low: int,
    high: int,
    loss: float,
    hist: Ints,
) -> float:
    """``_score`` for a plain rule, from the rows of each code (``hist`` comes and goes as zeros)."""
    for place in range(start, stop):
        hist[tuples.codes[order[place], column]] += tuples.rows[order[place]]
    group_of = tree.low[column, level]
    gain, squares, total, kept, code = 0.0, 0.0, 0, 0, low
    while code <= high:
        group, rows, first, last = group_of[code], 0, -1, -1
        while code <= high and group_of[code] == group:
            if hist[code] > 0:
                first = code if first < 0 else first
                last = code
                rows += hist[code]
                hist[code] = 0
            code += 1
        if rows == 0:
            continue
        if rows >= rule.k:
            kept += rows
            gain += rows * (tree.cost[column, level + 1, first] - cost_over(tree, column, first, last))
        elif price < np.inf:
            gain -= rows * price * (1.0 - loss)
        squares += float(rows) * rows
        total += rows
    if kept == 0 or gain <= GAIN or (price == np.inf and kept < total):
        return 0.0
    return gain / max(1.0 - squares / (float(total) * total), 1e-6)


@kernel
def _greedily(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    price: float,
    order: Ids,
    begin: int,
    end: int,
    spare: Ids,
    begins: Ids,
    hist: Ints,
    scratch: Ints,
) -> float:
    """The loss (in rows) of order[begin:end] when the best scored column is always cut; reorders it."""
    columns = tuples.codes.shape[1]
    low, high = np.empty(columns, np.int32), np.empty(columns, np.int32)
    todo = np.empty((end - begin + 1, 2), np.int64)
    todo[0, 0], todo[0, 1] = begin, end
    waiting, lost = 1, 0.0
    while waiting > 0:
        waiting -= 1
        start, stop = todo[waiting]
        loss, rows = measure(tuples, tree, order, start, stop, low, high)
        if rows < rule.k or not (rule.plain or holds(tuples, rule, order, start, stop, scratch)):
            lost += rows * price
            continue
        best, at, most = -1, 0, 0.0
        if loss > 0.0 and (price < np.inf or rows >= 2 * rule.k):
            for column in range(columns):
                if low[column] == high[column]:
                    continue
                level = level_over(tree, column, low[column], high[column]) - 1
                if rule.plain:
                    score = _score_by_code(
                        tuples, tree, rule, price, order, start, stop, column, level, low[column],
                        high[column], loss, hist,
                    )  # fmt: skip
                else:
                    score = _score(
                        tuples, tree, rule, price, order, start, stop, column, level, loss, spare, begins,
                        scratch,
                    )  # fmt: skip
                if score > most:
                    best, at, most = column, level, score
        if best < 0:
            lost += loss * rows
            continue
        _divide(tuples, tree, order, start, stop, best, at, spare, begins)
        while start < stop:
            end_of = _end(tuples, tree, order, start, stop, best, at)
            todo[waiting, 0], todo[waiting, 1] = start, end_of
            waiting += 1
            start = end_of
    return lost


@kernel
def _outcome(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    price: float,
    order: Ids,
    start: int,
    stop: int,
    column: int,
    level: int,
    least: float,
    spare: Ids,
    begins: Ids,
    hist: Ints,
    scratch: Ints,
) -> float:
    """The loss (in rows) of cutting a column and going on greedily; stops counting from ``least`` on."""
    _divide(tuples, tree, order, start, stop, column, level, spare, begins)
    lost = 0.0
    while start < stop and lost < least:
        end = _end(tuples, tree, order, start, stop, column, level)
        lost += _greedily(tuples, tree, rule, price, order, start, end, spare, begins, hist, scratch)
        start = end
    return lost


@kernel
def _cut_all(
    tuples: Tuples, tree: Tree, rule: Rule, staying: Ids, price: float, rollout: int, scratch: Ints
) -> tuple[Ids, int]:
    count, columns = tuples.codes.shape
    class_of = np.full(count, -1, np.int32)
    order = staying.copy()
    spare, trial = np.empty(count, np.int32), np.empty(count, np.int32)
    begins = np.empty(tree.low.shape[2] + 1, np.int32)
    hist = np.zeros(tree.low.shape[2], np.int64)
    low, high = np.empty(columns, np.int32), np.empty(columns, np.int32)
    todo = np.empty((count + 1, 2), np.int64)
    todo[0, 0], todo[0, 1] = 0, len(order)
    waiting, classes = 1, 0
    while waiting > 0:
        waiting -= 1
        start, stop = todo[waiting]
        if not holds(tuples, rule, order, start, stop, scratch):
            continue
        loss, rows = measure(tuples, tree, order, start, stop, low, high)
        best, at, most, least = -1, 0, 0.0, loss * rows - GAIN
        for column in range(columns):
            if low[column] == high[column] or loss == 0.0:
                continue
            level = level_over(tree, column, low[column], high[column]) - 1
            trial[start:stop] = order[start:stop]
            if stop - start <= rollout:
                lost = _outcome(
                    tuples,
                    tree,
                    rule,
                    price,
                    trial,
                    start,
                    stop,
                    column,
                    level,
                    least,
                    spare,
                    begins,
                    hist,
                    scratch,
                )
                if lost < least:
                    best, at, least = column, level, lost
            else:
                score = _score(
                    tuples, tree, rule, price, trial, start, stop, column, level, loss, spare, begins, scratch
                )
                if score > most:
                    best, at, most = column, level, score
        if best < 0:
            class_of[order[start:stop]] = classes
            classes += 1
            continue
        _divide(tuples, tree, order, start, stop, best, at, spare, begins)
        while start < stop:
            end = _end(tuples, tree, order, start, stop, best, at)
            todo[waiting, 0], todo[waiting, 1] = start, end
            waiting += 1
            start = end
    return class_of, classes
