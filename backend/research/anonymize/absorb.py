"""Leftovers go into the published class that they widen least, where it still satisfies the rule then.

Adding rows never breaks k or distinct diversity, but it can break the others; then the next cheapest class
is tried. A leftover that costs more in every class than left out is suppressed while the limit allows. What
no class takes is pooled with the cheapest classes until the pool satisfies the rule.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.boxes import cost_over
from backend.research.anonymize.criteria import diverse, scratch_for
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Floats, Ids, Ints, Problem, Rule, Tree, Tuples


class _Classes(NamedTuple):
    """What the classes are while they take rows in.

    ``low`` and ``high`` (classes x columns) are the least and greatest codes, ``cost`` (the same shape) what
    a row loses in a column, ``loss`` the sum of that over the columns, ``rows`` how many there are, 0 of one
    that was merged away. A class is the list from ``first`` on, by ``following`` (of each tuple; -1 ends it).
    """

    low: NDArray[np.int32]
    high: NDArray[np.int32]
    cost: Floats
    loss: Floats
    rows: Ints
    first: Ids
    following: Ids


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
def _widen(low: NDArray[np.int32], high: NDArray[np.int32], least: Ids, most: Ids) -> None:
    """Have the box ``low`` to ``high``, a code a column, hold the box ``least`` to ``most``, too."""
    for column in range(len(low)):
        low[column] = min(low[column], least[column])
        high[column] = max(high[column], most[column])


@kernel
def _price(tree: Tree, classes: _Classes, found: int) -> None:
    """Say what a row of a class loses, from its codes."""
    classes.loss[found] = 0.0
    for column in range(classes.low.shape[1]):
        cost = cost_over(tree, column, classes.low[found, column], classes.high[found, column])
        classes.cost[found, column] = cost
        classes.loss[found] += cost


@kernel
def _put(tuples: Tuples, classes: _Classes, found: int, one: int) -> None:
    """Put a tuple into a class, whose price has to be said anew."""
    classes.following[one] = classes.first[found]
    classes.first[found] = one
    classes.rows[found] += tuples.rows[one]
    _widen(classes.low[found], classes.high[found], tuples.codes[one], tuples.codes[one])


@kernel
def _cheapest(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    classes: _Classes,
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
    low, high, cost, loss, rows = classes.low, classes.high, classes.cost, classes.loss, classes.rows
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
        if more < least and (
            extra < 0 or _stays(tuples, rule, classes.first[candidate], extra, classes.following, scratch)
        ):
            best, least = candidate, more
    return best, least


@kernel
def _absorb(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    class_of: Ids,
    count: int,
    suppressible: int,
    by_cost: Ints,
    scratch: Ints,
) -> int:
    size, columns = tuples.codes.shape
    classes = _Classes(
        np.full((count, columns), 1 << 30, np.int32),
        np.full((count, columns), -1, np.int32),
        np.zeros((count, columns)),
        np.zeros(count),
        np.zeros(count, np.int64),
        np.full(count, -1, np.int32),
        np.full(size, -1, np.int32),
    )
    for one in range(size):
        if class_of[one] >= 0:
            _put(tuples, classes, class_of[one], one)
    for found in range(count):
        _price(tree, classes, found)
    checked = rule.kind > 1 or rule.with_t
    suppressed, pool = 0, -1
    for one in range(size):
        if class_of[one] >= 0:
            continue
        weight, codes = tuples.rows[one], tuples.codes[one]
        found, more = _cheapest(
            tuples, tree, rule, classes, codes, codes, weight, one if checked else -1, by_cost, scratch
        )
        if more > weight and suppressed + weight <= suppressible:
            found = -1
        if found >= 0:
            _put(tuples, classes, found, one)
            _price(tree, classes, found)
            class_of[one] = found
        elif suppressed + weight <= suppressible:
            suppressed += weight
        else:
            classes.following[one] = pool
            pool = one
    if pool < 0:
        return suppressed
    return suppressed + _pool(tuples, tree, rule, class_of, classes, pool, by_cost, scratch)


@kernel
def _pool(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    class_of: Ids,
    classes: _Classes,
    pool: int,
    by_cost: Ints,
    scratch: Ints,
) -> int:
    """Merge the cheapest classes with the list from ``pool`` on until the rule holds; return rows left out.

    The merged class has the patients of a published one, so only diversity and t are checked.
    """
    following = classes.following
    box_low, box_high = tuples.codes[pool].copy(), tuples.codes[pool].copy()
    weight = 0
    one = pool
    while one >= 0:
        weight += tuples.rows[one]
        _widen(box_low, box_high, tuples.codes[one], tuples.codes[one])
        one = following[one]
    while True:
        found, _ = _cheapest(tuples, tree, rule, classes, box_low, box_high, weight, -1, by_cost, scratch)
        if found < 0:
            return weight
        one = classes.first[found]
        while one >= 0:  # the class becomes part of the pool
            after = following[one]
            following[one] = pool
            pool = one
            one = after
        weight += classes.rows[found]
        classes.rows[found] = 0
        _widen(box_low, box_high, classes.low[found], classes.high[found])
        if _stays(tuples, rule, pool, -1, following, scratch):
            one = pool
            while one >= 0:
                class_of[one] = found
                one = following[one]
            return 0
