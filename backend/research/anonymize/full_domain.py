"""One level a column for all rows: the combination of levels of least loss, proved least.

A node (a level for each column) publishes the groups that satisfy the rule and suppresses the others; it is
allowed when that suppresses no more rows than the limit. The search holds boxes of nodes, all those between
a lowest and a highest one. From the box of least bound the highest level of one column is split off, and the
highest node of the rest is evaluated. A box whose bound is no less than the best loss found ends the search.
So only as much of the lattice is looked at as the proof needs.

**Bound.** A suppressed row costs 1, a published one the costs of its cells, at most 1, and these rise with
the levels. Rows that the highest node of a box suppresses for want of patients or of distinct values are
suppressed at all of its nodes. So each of its nodes loses 1 for each of these rows and, for the others, at
least what their cells cost at the lowest node.

**Pruning.** A node that suppresses too much for want of patients or of distinct values rules out all narrower
ones. Entropy and recursive diversity and t-closeness prune only when nothing may be suppressed: a failing
group can spoil a passing one when the two merge, so with suppression their losses are not monotone. Entropy
and recursive diversity imply distinct diversity, which is what is pruned by then.

Branch and bound, the best first (Land and Doig 1960).
"""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.at_levels import Room, count_people, group_at, room_for, sort_groups
from backend.research.anonymize.criteria import holds, scratch_for
from backend.research.anonymize.errors import AnonymizationInvalid
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.joint import JoinedCodes, Joint, joint_of
from backend.research.anonymize.lattice import count_out, margins_of
from backend.research.anonymize.problem import Floats, Ids, Ints, Problem, Rule, Tree, Tuples

MAX_EVALUATED = 1 << 16
ROUNDING = 1e-12

PUBLISHED, FAILED, TOO_FEW = 2, 1, 0  # the last fails at all narrower nodes, too


class _Box(NamedTuple):
    """The nodes from ``low`` to ``high``: ``lost`` rows are suppressed at each of them, and the others lose
    ``margins`` (columns x levels). In a heap the one of least ``bound`` comes first, then the oldest."""

    bound: float
    age: int
    low: Ints
    high: Ints
    lost: int
    margins: Floats


class _Found(NamedTuple):
    """Of a node: its loss and the rows it suppresses, ``lost`` of them at all narrower nodes, too."""

    loss: float
    suppressed: int
    lost: int


def full_domain(problem: Problem) -> tuple[Ids, Ints] | None:
    """(class of each tuple or -1, level of each column) of least loss, or None where no node is allowed.

    Raises AnonymizationInvalid when the proof needs more than MAX_EVALUATED nodes.
    """
    nodes, total = _Nodes(problem), problem.total
    least, best = np.inf, None
    waiting: list[_Box] = []
    columns = np.arange(len(problem.tree.height))
    age = 0

    def keep(low: Ints, high: Ints, lost: int, margins: Floats) -> None:
        nonlocal age
        bound, age = lost + float(margins[columns, low].sum()), age + 1
        if bound < least - ROUNDING * total:
            heapq.heappush(waiting, _Box(bound, age, low, high, lost, margins))

    def look(low: Ints, high: Ints) -> None:
        """Evaluate the highest node of a box and keep the box unless all its nodes suppress too much."""
        nonlocal least, best
        found = nodes.evaluate(high)
        if found.suppressed <= min(problem.suppressible, total - 1) and found.loss < least - ROUNDING * total:
            least, best = found.loss, (nodes.classes(), high)
        if found.lost <= problem.suppressible:
            keep(low, high, found.lost, nodes.margins_of_others())

    look(np.zeros_like(problem.tree.height), problem.tree.height)
    while waiting and waiting[0].bound < least - ROUNDING * total:
        box = heapq.heappop(waiting)
        if (box.low == box.high).all():
            continue
        if nodes.evaluated >= MAX_EVALUATED:
            raise AnonymizationInvalid("the optimum cannot be proved for so many columns; use another mode")
        column = _most_at_stake(box)
        narrower, wider = box.high.copy(), box.low.copy()
        narrower[column] -= 1
        wider[column] = box.high[column]
        keep(wider, box.high, box.lost, box.margins)
        look(box.low, narrower)
    return best


def _most_at_stake(box: _Box) -> int:
    """The column in which the highest node loses most above the lowest, of those in which they differ."""
    columns = np.arange(len(box.low))
    rise = box.margins[columns, box.high] - box.margins[columns, box.low]
    return int(np.argmax(np.where(box.low < box.high, rise, -np.inf)))


class _Nodes:
    """Evaluates nodes, each in the memory of the one before."""

    def __init__(self, problem: Problem) -> None:
        count = len(problem.tuples.rows)
        self._problem = problem
        self._joint, self._codes = joint_of(problem.tree, problem.tuples.codes)
        self._margins = margins_of(problem.tuples, problem.tree)
        self._room = room_for(count, self._joint)
        self._fate = np.empty(count, np.int8)
        self._lists = (np.arange(count, dtype=np.int32), *np.empty((2, count + 1), np.int32))
        self._scratch = scratch_for(problem.rule)
        self._relaxed = _relaxed(problem)
        self.evaluated = 0

    def evaluate(self, levels: Ints) -> _Found:
        self.evaluated += 1
        problem = self._problem
        return _Found(
            *_evaluate(
                problem.tuples, problem.tree, problem.rule, self._relaxed, self._joint, self._codes, levels,
                self._room, self._fate, self._lists, self._scratch,
            )
        )  # fmt: skip

    def classes(self) -> Ids:
        """The class of each tuple (-1: suppressed) at the node evaluated last."""
        return _classes(self._room.ids, self._fate)

    def margins_of_others(self) -> Floats:
        """The losses of the tuples that the node evaluated last leaves to narrower ones."""
        margins = self._margins.copy()
        _without_lost(self._problem.tuples, self._problem.tree, self._room.ids, self._fate, margins)
        return margins


def _relaxed(problem: Problem) -> Rule:
    """The part of the rule that a group which fails it fails at narrower nodes, too."""
    rule = problem.rule
    if problem.suppressible == 0 or not (rule.kind > 1 or rule.with_t):
        return rule
    return rule._replace(kind=min(rule.kind, 1), l=float(math.ceil(rule.l - 1e-9)), with_t=False)


@kernel
def _evaluate(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    relaxed: Rule,
    joint: Joint,
    codes: JoinedCodes,
    levels: Ints,
    room: Room,
    fate: NDArray[np.int8],
    lists: tuple[Ids, Ids, Ids],
    scratch: Ints,
) -> tuple[float, int, int]:
    """Put each group's fate into ``fate`` and return what ``_Found`` holds."""
    every, order, starts = lists
    count = len(tuples.rows)
    grouped, groups = group_at(joint, codes, count, levels, tuples.heads, rule.k, room)
    if rule.several:
        count_people(room, grouped, groups, tuples.heads, tuples.person, order)
    guarded = rule.share.shape[0] > 0
    if guarded:
        sort_groups(room, grouped, every, groups, order, starts)
    for found in range(groups):
        fate[found] = PUBLISHED
        if room.sums[found] < rule.k:
            fate[found] = TOO_FEW
        elif guarded and not holds(tuples, rule, order, starts[found], starts[found + 1], scratch):
            fate[found] = FAILED
            if not holds(tuples, relaxed, order, starts[found], starts[found + 1], scratch):
                fate[found] = TOO_FEW
    loss = 0.0
    suppressed = lost = 0
    for one in range(count):
        rows, found = tuples.rows[one], room.ids[one]
        if found >= 0 and fate[found] == PUBLISHED:
            for column in range(len(levels)):
                loss += rows * tree.cost[column, levels[column], tuples.codes[one, column]]
            continue
        suppressed += rows
        loss += rows
        if found < 0 or fate[found] == TOO_FEW:
            lost += rows
    return loss, suppressed, lost


@kernel
def _classes(ids: Ids, fate: NDArray[np.int8]) -> Ids:
    class_of = np.full(len(ids), -1, np.int32)
    for one in range(len(ids)):
        if ids[one] >= 0 and fate[ids[one]] == PUBLISHED:
            class_of[one] = ids[one]
    return class_of


@kernel
def _without_lost(tuples: Tuples, tree: Tree, ids: Ids, fate: NDArray[np.int8], margins: Floats) -> None:
    for one in range(len(ids)):
        if ids[one] < 0 or fate[ids[one]] == TOO_FEW:
            count_out(tuples, tree, one, tuples.rows[one], margins)
