"""One level a column for all rows: the combination of levels of least loss, proved least.

A node (a level for each column) publishes the groups that satisfy the rule and suppresses the others; it is
allowed when that suppresses no more rows than the limit. Nodes are taken in the order of a lower bound on
their loss, so the first whose bound is no less than the best loss found ends the search.

**Bound.** A suppressed row costs 1, a published one the costs of its cells, at most 1. So a node loses at
least the sum over columns of the mean cost at its level, a table a column. It can be raised: rows that a
wider node suppresses for want of patients or of distinct values are suppressed at every narrower node too,
so there their 1 replaces their cells' cost; that is one more table a column for each wider node evaluated.

**Pruning.** A node that suppresses too much for want of patients or of distinct values rules out all narrower
ones. Entropy and recursive diversity and t-closeness prune only when nothing may be suppressed: a failing
group can spoil a passing one when the two merge, so with suppression their losses are not monotone. Entropy
and recursive diversity imply distinct diversity, which is what is pruned by then.

Best-first search after Kohlmayer et al. (Flash, 2012): from the best node a path is climbed to the root, and
halved to find where it becomes allowed.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.at_levels import Room, count_people, group_at, room_for, sort_groups
from backend.research.anonymize.criteria import holds, scratch_for
from backend.research.anonymize.errors import AnonymizationInvalid
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Floats, Ids, Ints, Problem, Rule, Tree, Tuples

MAX_NODES = 1 << 20
ROUNDING = 1e-12


def full_domain(problem: Problem) -> tuple[Ids, Ints] | None:
    """(class of each tuple or -1, level of each column) of least loss, or None where no node is allowed.

    Raises AnonymizationInvalid when the lattice has more than MAX_NODES nodes, since then no optimum can be
    promised.
    """
    heights = [int(height) for height in problem.tree.height]
    if math.prod(height + 1 for height in heights) > MAX_NODES:
        raise AnonymizationInvalid("too many columns and levels for an optimal search; use another mode")
    nodes = np.array(list(itertools.product(*(range(height + 1) for height in heights))), dtype=np.int64)
    rule, scratch = problem.rule, scratch_for(problem.rule)
    relaxed = rule
    if problem.suppressible > 0 and (rule.kind > 1 or rule.with_t):
        kind = min(rule.kind, 1)
        relaxed = rule._replace(kind=kind, l=float(math.ceil(rule.l - 1e-9)), with_t=False)
    chosen, class_of, _ = _search(
        problem.tuples, problem.tree, rule, relaxed, nodes, problem.suppressible, scratch
    )
    return None if chosen < 0 else (class_of, nodes[chosen])


@kernel
def _climb(nodes: Ints, strides: Ints, height: Ints, start: int, bound: Floats, path: Ints) -> int:
    """The nodes from ``start`` to the root, each time raising the column whose bound stays least."""
    path[0] = start
    length, node = 1, start
    while True:
        best = -1
        for column in range(len(height)):
            if nodes[node, column] < height[column]:
                wider = node + strides[column]
                if best < 0 or bound[wider] < bound[best]:
                    best = wider
        if best < 0:
            return length
        path[length] = best
        length += 1
        node = best


@kernel
def _evaluate(
    tuples: Tuples,
    columns: NDArray[np.int32],
    everyone: Ids,
    tree: Tree,
    rule: Rule,
    relaxed: Rule,
    levels: Ints,
    room: Room,
    mark: int,
    sums: Ints,
    extra: tuple[Ids, Ids, Ids],
    fate: NDArray[np.int8],
    scratch: Ints,
) -> None:
    """Put each group's fate into ``fate``: 2 published, 1 suppressed, 0 suppressed at narrower nodes too."""
    count = len(everyone)
    groups = group_at(columns, count, tree, levels, tuples.heads, room, mark, sums)
    order, starts, last = extra
    if rule.several:
        count_people(room.ids, count, groups, tuples.heads, tuples.person, last, sums)
    if rule.share.shape[0] > 0:
        sort_groups(room.ids, count, groups, order, starts)
    for found in range(groups):
        fate[found] = 2
        if sums[found] < rule.k:
            fate[found] = 0
        elif rule.share.shape[0] > 0 and not holds(
            tuples, rule, order, starts[found], starts[found + 1], scratch
        ):
            fate[found] = 1
            if not holds(tuples, relaxed, order, starts[found], starts[found + 1], scratch):
                fate[found] = 0


@kernel
def _search(
    tuples: Tuples, tree: Tree, rule: Rule, relaxed: Rule, nodes: Ints, suppressible: int, scratch: Ints
) -> tuple[int, Ids, int]:
    count, width = tuples.codes.shape
    levels = tree.low.shape[1]
    columns = tuples.codes.T.copy()
    everyone = np.arange(count).astype(np.int32)
    room = room_for(count)
    sums, fate = np.empty(count, np.int64), np.empty(count, np.int8)
    extra = (np.empty(count, np.int32), np.empty(count + 1, np.int32), np.empty(count, np.int32))
    strides = np.ones(width, np.int64)
    for column in range(width - 2, -1, -1):
        strides[column] = strides[column + 1] * (tree.height[column + 1] + 1)
    total = tuples.rows.sum()
    margins = np.zeros((width, levels))
    for one in range(count):
        for column in range(width):
            for level in range(tree.height[column] + 1):
                margins[column, level] += tuples.rows[one] * tree.cost[column, level, columns[column, one]]
    bound = np.zeros(len(nodes))
    for node in range(len(nodes)):
        for column in range(width):
            bound[node] += margins[column, nodes[node, column]]
    base = bound.copy()
    closed = np.zeros(len(nodes), np.bool_)  # evaluated, or ruled out
    path = np.empty(1 + tree.height.sum(), np.int64)
    lost = np.empty((width, levels))
    chosen, least = -1, np.inf
    class_of = np.full(count, -1, np.int32)
    mark = 0
    while True:
        start = -1
        for node in range(len(nodes)):
            if not closed[node] and (start < 0 or bound[node] < bound[start]):
                start = node
        if start < 0 or bound[start] >= least - ROUNDING * total:
            return chosen, class_of, mark
        below, above = 0, _climb(nodes, strides, tree.height, start, bound, path)
        if suppressible >= total:
            above = 1
        while below < above:  # path[:below] are closed as not allowed, path[above:] known as allowed
            middle = (below + above) // 2
            node = path[middle]
            if closed[node]:
                # Evaluated before: allowed ones end the climb here; whatever was ruled out begins it.
                if bound[node] < np.inf:
                    above = middle
                else:
                    below = middle + 1
                continue
            mark += 1
            _evaluate(
                tuples, columns, everyone, tree, rule, relaxed, nodes[node], room, mark, sums, extra, fate,
                scratch,
            )  # fmt: skip
            closed[node] = True
            suppressed = surely = 0
            loss = 0.0
            lost[:] = 0.0
            for one in range(count):
                rows = tuples.rows[one]
                kind = fate[room.ids[one]]
                if kind == 2:
                    for column in range(width):
                        loss += rows * tree.cost[column, nodes[node, column], columns[column, one]]
                    continue
                suppressed += rows
                loss += rows
                if kind == 0:
                    surely += rows
                    for column in range(width):
                        for level in range(nodes[node, column] + 1):
                            lost[column, level] += rows * tree.cost[column, level, columns[column, one]]
            if suppressed <= suppressible and suppressed < total and loss < least - ROUNDING * total:
                chosen, least = node, loss
                for one in range(count):
                    class_of[one] = room.ids[one] if fate[room.ids[one]] == 2 else -1
            ruled_out = surely > suppressible
            if surely > 0:
                for other in range(len(nodes)):
                    narrower = True
                    for column in range(width):
                        narrower &= nodes[other, column] <= nodes[node, column]
                    if not narrower:
                        continue
                    if ruled_out:
                        closed[other] = True
                        bound[other] = np.inf
                        continue
                    raised = base[other] + surely
                    for column in range(width):
                        raised -= lost[column, nodes[other, column]]
                    bound[other] = max(bound[other], raised)
            if ruled_out:
                below = middle + 1
            else:
                above = middle
