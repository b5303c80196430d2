"""Leftovers go into the published class that they widen least, where it still satisfies the rule then.

Adding rows never breaks k or distinct diversity, but it can break the others; then the next cheapest class
is tried. A leftover that costs more in every class than left out is suppressed while the limit allows. What
no class takes is pooled with the cheapest classes until the pool satisfies the rule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.boxes import cost_over
from backend.research.anonymize.criteria import diverse, scratch_for
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Floats, Ids, Ints, Problem, Rule, Tree, Tuples


def absorb(problem: Problem, class_of: Ids, classes: int) -> int:
    """Give every leftover (-1 in ``class_of``) a class, in place, or leave it suppressed.

    Returns the rows suppressed; more than the limit only when one class of all rows breaks the rule.
    """
    scratch = scratch_for(problem.rule)
    cost = problem.tree.cost
    least = np.where(cost > 0, cost, np.inf).min(axis=(1, 2))  # what a difference costs at least
    by_cost = np.argsort(-least, kind="stable")
    return _absorb(
        problem.tuples,
        problem.tree,
        problem.rule,
        class_of,
        classes,
        problem.suppressible,
        by_cost,
        scratch,
    )


@kernel
def _tally(tuples: Tuples, column: int, one: int, following: Ids, hist: Ints) -> int:
    """Count the sensitive values of the list from ``one`` on into ``hist``; return its rows."""
    total = 0
    while one >= 0:
        hist[tuples.sensitive[one, column]] += tuples.rows[one]
        total += tuples.rows[one]
        one = following[one]
    return total


@kernel
def _stays(tuples: Tuples, rule: Rule, first: int, extra: int, following: Ids, scratch: Ints) -> bool:
    """Whether the lists from ``first`` and from ``extra`` on (-1: none) together keep the rule."""
    size = rule.share.shape[1]
    hist = scratch[:size]
    for column in range(rule.share.shape[0]):
        hist[:] = 0
        total = _tally(tuples, column, first, following, hist)
        total += _tally(tuples, column, extra, following, hist)
        if not diverse(rule, hist, total, column, scratch[size:]):
            return False
    return True


@kernel
def _cheapest(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    loss: Floats,
    cost: Floats,
    rows: Ints,
    first: Ids,
    following: Ids,
    box_low: NDArray[np.int32],
    box_high: NDArray[np.int32],
    weight: int,
    extra: int,
    by_cost: Ints,
    scratch: Ints,
) -> tuple[int, float]:
    """(class that loses least more with a box of ``weight`` rows added, how much more).

    With ``extra`` (the list of those rows), only a class that keeps diversity and t with them. ``by_cost``
    has the columns, those first whose differences cost most, so that the sum ends early.
    """
    best, least = -1, np.inf
    for candidate in range(len(rows)):
        if rows[candidate] == 0:
            continue
        together = rows[candidate] + weight
        more = loss[candidate] * weight
        for column in by_cost:
            if more >= least:
                break
            first_code, last_code = low[candidate, column], high[candidate, column]
            if box_low[column] < first_code or box_high[column] > last_code:
                wider = cost_over(
                    tree, column, min(first_code, box_low[column]), max(last_code, box_high[column])
                )
                more += together * (wider - cost[candidate, column])
        if more < least and (extra < 0 or _stays(tuples, rule, first[candidate], extra, following, scratch)):
            best, least = candidate, more
    return best, least


@kernel
def _absorb(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    class_of: Ids,
    classes: int,
    suppressible: int,
    by_cost: Ints,
    scratch: Ints,
) -> int:
    count, columns = tuples.codes.shape
    low = np.full((classes, columns), 1 << 30, np.int32)
    high = np.full((classes, columns), -1, np.int32)
    rows, loss = np.zeros(classes, np.int64), np.zeros(classes)
    cost = np.zeros((classes, columns))
    first, following = np.full(classes, -1, np.int32), np.full(count, -1, np.int32)
    for one in range(count):
        found = class_of[one]
        if found >= 0:
            following[one] = first[found]
            first[found] = one
            rows[found] += tuples.rows[one]
            for column in range(columns):
                low[found, column] = min(low[found, column], tuples.codes[one, column])
                high[found, column] = max(high[found, column], tuples.codes[one, column])
    for found in range(classes):
        for column in range(columns):
            cost[found, column] = cost_over(tree, column, low[found, column], high[found, column])
            loss[found] += cost[found, column]
    checked = rule.kind > 1 or rule.with_t
    suppressed = 0
    pool, pooled = -1, 0
    for one in range(count):
        if class_of[one] >= 0:
            continue
        weight, codes = tuples.rows[one], tuples.codes[one]
        found, more = _cheapest(
            tuples, tree, rule, low, high, loss, cost, rows, first, following, codes, codes, weight,
            one if checked else -1, by_cost, scratch,
        )  # fmt: skip
        if more > weight and suppressed + weight <= suppressible:
            found = -1
        if found >= 0:
            _join(tuples, tree, found, one, low, high, loss, cost, rows)
            class_of[one] = found
            following[one] = first[found]
            first[found] = one
        elif suppressed + weight <= suppressible:
            suppressed += weight
        else:
            following[one] = pool
            pool = one
            pooled += weight
    if pool < 0:
        return suppressed
    return suppressed + _pool(
        tuples, tree, rule, class_of, low, high, loss, cost, rows, first, following, pool, by_cost, scratch
    )


@kernel
def _join(
    tuples: Tuples,
    tree: Tree,
    found: int,
    one: int,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    loss: Floats,
    cost: Floats,
    rows: Ints,
) -> None:
    rows[found] += tuples.rows[one]
    loss[found] = 0.0
    for column in range(low.shape[1]):
        low[found, column] = min(low[found, column], tuples.codes[one, column])
        high[found, column] = max(high[found, column], tuples.codes[one, column])
        cost[found, column] = cost_over(tree, column, low[found, column], high[found, column])
        loss[found] += cost[found, column]


@kernel
def _pool(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    class_of: Ids,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    loss: Floats,
    cost: Floats,
    rows: Ints,
    first: Ids,
    following: Ids,
    pool: int,
    by_cost: Ints,
    scratch: Ints,
) -> int:
    """Merge the cheapest classes with the list from ``pool`` on until the rule holds; return rows left out.

    The merged class has the patients of a published one, so only diversity and t are checked.
    """
    columns = low.shape[1]
    box_low, box_high = tuples.codes[pool].copy(), tuples.codes[pool].copy()
    weight = 0
    one = pool
    while one >= 0:
        weight += tuples.rows[one]
        for column in range(columns):
            box_low[column] = min(box_low[column], tuples.codes[one, column])
            box_high[column] = max(box_high[column], tuples.codes[one, column])
        one = following[one]
    while True:
        found, _ = _cheapest(
            tuples,
            tree,
            rule,
            low,
            high,
            loss,
            cost,
            rows,
            first,
            following,
            box_low,
            box_high,
            weight,
            -1,
            by_cost,
            scratch,
        )
        if found < 0:
            return weight
        one = first[found]
        while one >= 0:  # the class becomes part of the pool
            after = following[one]
            following[one] = pool
            pool = one
            one = after
        weight += rows[found]
        rows[found] = 0
        for column in range(columns):
            box_low[column] = min(box_low[column], low[found, column])
            box_high[column] = max(box_high[column], high[found, column])
        if _stays(tuples, rule, pool, -1, following, scratch):
            one = pool
            while one >= 0:
                class_of[one] = found
                one = following[one]
            return 0
