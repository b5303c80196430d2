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

GLANCED = 3  # columns that are looked at for every class


class _Classes(NamedTuple):
    """What the classes are while they take rows in.

    ``code`` (columns x classes) is some code of the class, ``cost`` (the same shape) what a row loses in the
    column, ``loss`` the sum of that over the columns, ``rows`` how many there are, 0 of one that was merged
    away. A class is the list from ``first`` on, by ``following`` (of each tuple; -1 ends it).
    """

    code: NDArray[np.uint32]
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
def _put(tuples: Tuples, classes: _Classes, found: int, one: int) -> None:
    """Put a tuple into a class, whose costs have to be said anew."""
    classes.following[one] = classes.first[found]
    classes.first[found] = one
    classes.rows[found] += tuples.rows[one]


@kernel
def _classes_of(tuples: Tuples, tree: Tree, class_of: Ids, count: int) -> _Classes:
    size, columns = tuples.codes.shape
    classes = _Classes(
        np.zeros((columns, count), np.uint32),
        np.zeros((columns, count)),
        np.zeros(count),
        np.zeros(count, np.int64),
        np.full(count, -1, np.int32),
        np.full(size, -1, np.int32),
    )
    for one in range(size):
        found = class_of[one]
        if found < 0:
            continue
        begins = classes.first[found] < 0
        _put(tuples, classes, found, one)
        for column in range(columns):
            code = tuples.codes[one, column]
            if begins:
                classes.code[column, found] = code
            elif code != classes.code[column, found]:
                cost = cost_over(tree, column, code, classes.code[column, found])
                classes.cost[column, found] = max(classes.cost[column, found], cost)
    for column in range(columns):
        classes.loss[:] += classes.cost[column]
    return classes


@kernel
def _costs_with(tree: Tree, codes: Ids, least: Floats, costs: Floats) -> None:
    """Put into ``costs`` (columns x codes) what a cell costs over these codes together with each other one.

    ``least`` is what it costs in each column without any other.
    """
    for column in range(len(codes)):
        for code in range(tree.size[column]):
            costs[column, code] = max(least[column], cost_over(tree, column, code, codes[column]))


@kernel
def _cheapest(
    tuples: Tuples,
    rule: Rule,
    classes: _Classes,
    costs: Floats,
    weight: int,
    extra: int,
    by_cost: Ints,
    more: Floats,
    scratch: Ints,
) -> tuple[int, float]:
    """(class that loses least more with ``weight`` rows of ``costs`` added, how much more).

    With ``extra`` (the list of those rows), only a class that keeps diversity and t with them. ``by_cost``
    has the columns, those first whose differences cost most: with a few of them most classes are too dear.
    """
    code, cost, rows = classes.code, classes.cost, classes.rows
    more[:] = 0.0
    for column in by_cost[:GLANCED]:
        for candidate in range(len(rows)):
            more[candidate] += max(0.0, costs[column, code[column, candidate]] - cost[column, candidate])
    best, least = -1, np.inf
    for candidate in range(len(rows)):
        together = rows[candidate] + weight
        own = classes.loss[candidate] * weight
        if own + together * more[candidate] >= least or rows[candidate] == 0:
            continue
        wider = more[candidate]
        for column in by_cost[GLANCED:]:
            wider += max(0.0, costs[column, code[column, candidate]] - cost[column, candidate])
        lost = own + together * wider
        if lost < least and (
            extra < 0 or _stays(tuples, rule, classes.first[candidate], extra, classes.following, scratch)
        ):
            best, least = candidate, lost
    return best, least


@kernel
def _widen(classes: _Classes, found: int, costs: Floats) -> None:
    """Let a class cost what it does with those that ``costs`` is about."""
    classes.loss[found] = 0.0
    for column in range(len(classes.code)):
        cost = max(classes.cost[column, found], costs[column, classes.code[column, found]])
        classes.cost[column, found] = cost
        classes.loss[found] += cost


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
    classes = _classes_of(tuples, tree, class_of, count)
    costs, none, more = np.zeros(tree.low.shape[::2]), np.zeros(len(by_cost)), np.empty(count)
    checked = rule.kind > 1 or rule.with_t
    suppressed, pool = 0, -1
    for one in range(len(class_of)):
        if class_of[one] >= 0:
            continue
        weight = tuples.rows[one]
        _costs_with(tree, tuples.codes[one], none, costs)
        found, lost = _cheapest(
            tuples, rule, classes, costs, weight, one if checked else -1, by_cost, more, scratch
        )
        if lost > weight and suppressed + weight <= suppressible:
            found = -1
        if found >= 0:
            _put(tuples, classes, found, one)
            _widen(classes, found, costs)
            class_of[one] = found
        elif suppressed + weight <= suppressible:
            suppressed += weight
        else:
            classes.following[one] = pool
            pool = one
    if pool < 0:
        return suppressed
    return suppressed + _pool(tuples, tree, rule, class_of, classes, pool, by_cost, costs, more, scratch)


@kernel
def _pool(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    class_of: Ids,
    classes: _Classes,
    pool: int,
    by_cost: Ints,
    costs: Floats,
    more: Floats,
    scratch: Ints,
) -> int:
    """Merge the cheapest classes with the list from ``pool`` on until the rule holds; return rows left out.

    The merged class has the patients of a published one, so only diversity and t are checked.
    """
    following, codes = classes.following, tuples.codes[pool]
    own, weight, one = np.zeros(len(codes)), 0, pool
    while one >= 0:
        weight += tuples.rows[one]
        for column in range(len(codes)):
            own[column] = max(own[column], cost_over(tree, column, codes[column], tuples.codes[one, column]))
        one = following[one]
    while True:
        _costs_with(tree, codes, own, costs)
        found, _ = _cheapest(tuples, rule, classes, costs, weight, -1, by_cost, more, scratch)
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
        _widen(classes, found, costs)
        own[:] = classes.cost[:, found]
        if _stays(tuples, rule, pool, -1, following, scratch):
            one = pool
            while one >= 0:
                class_of[one] = found
                one = following[one]
            return 0
