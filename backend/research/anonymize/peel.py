"""Classes by peeling: walk the lattice of levels from little to much loss, publish each class that passes.

At every node the tuples still left are grouped by their generalised codes; groups that satisfy the rule are
published and leave. So rows in dense regions are published nearly as they are, and only the rest goes on to
wider levels. Nodes come in the order of the mean loss they would mean for the rows still left.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.at_levels import Room, count_people, group_at, room_for, sort_groups
from backend.research.anonymize.criteria import holds, scratch_for
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Floats, Ids, Ints, Problem, Rule, Tree, Tuples

MAX_NODES = 1 << 15
BATCH = 32  # nodes taken from one ranking
STOP = 0.6  # loss of a node from which it is better to widen a published class


def peel(problem: Problem) -> tuple[Ids, int]:
    """Return the class of each tuple (-1: left over) and the number of classes."""
    nodes = _nodes(problem.tree)
    scratch = scratch_for(problem.rule)
    return _peel(problem.tuples, problem.tree, problem.rule, nodes, scratch, STOP, BATCH)


def _nodes(tree: Tree) -> Ints:
    """Levels (nodes x columns). Where there are too many, columns are tied two by two and rise together."""
    ladders = [[(column, int(height))] for column, height in enumerate(tree.height)]
    while _count(ladders) > MAX_NODES:
        ladders.sort(key=_steps)
        ladders = [ladders[0] + ladders[1], *ladders[2:]]
    nodes = np.zeros((_count(ladders), len(tree.height)), dtype=np.int64)
    steps = np.array(list(itertools.product(*(range(_steps(ladder) + 1) for ladder in ladders))))
    for place, ladder in enumerate(ladders):
        for column, height in ladder:
            nodes[:, column] = -(-steps[:, place] * height // max(_steps(ladder), 1))
    return nodes


def _steps(ladder: list[tuple[int, int]]) -> int:
    return max(height for _, height in ladder)


def _count(ladders: list[list[tuple[int, int]]]) -> int:
    product = 1
    for ladder in ladders:
        product *= _steps(ladder) + 1
    return product


@kernel
def _rank(nodes: Ints, done: NDArray[np.bool_], margins: Floats, weight: int, best: Ids, kept: Floats) -> int:
    """Put the nodes not done of least mean loss into ``best``, rising (``kept``); return how many."""
    found = 0
    for node in range(len(nodes)):
        if done[node]:
            continue
        loss = 0.0
        for column in range(nodes.shape[1]):
            loss += margins[column, nodes[node, column]]
        loss /= weight
        if found == len(best) and loss >= kept[found - 1]:
            continue
        place = found if found < len(best) else found - 1
        while place > 0 and kept[place - 1] > loss:
            kept[place] = kept[place - 1]
            best[place] = best[place - 1]
            place -= 1
        kept[place] = loss
        best[place] = node
        found = min(found + 1, len(best))
    return found


@kernel
def _published(
    tuples: Tuples,
    rule: Rule,
    rest: Ids,
    room: Room,
    count: int,
    groups: int,
    heads: Ints,
    extra: tuple[Ids, Ids, Ids],
    scratch: Ints,
    number: Ids,
    classes: int,
) -> int:
    """Number the groups that satisfy the rule from ``classes`` on (others: -1); return how many there are."""
    order, starts, last = extra
    if not rule.plain:
        count_people(room.ids, count, groups, tuples.heads[rest], tuples.person[rest], last, heads)
    looked_at = rule.share.shape[0] > 0
    if looked_at:
        sort_groups(room.ids, count, groups, order, starts)
        for place in range(count):
            order[place] = rest[order[place]]
    new = 0
    for found in range(groups):
        number[found] = -1
        if heads[found] < rule.k:
            continue
        if looked_at and not holds(tuples, rule, order, starts[found], starts[found + 1], scratch):
            continue
        number[found] = classes + new
        new += 1
    return new


@kernel
def _peel(
    tuples: Tuples, tree: Tree, rule: Rule, nodes: Ints, scratch: Ints, stop: float, batch: int
) -> tuple[Ids, int]:
    count, width = tuples.codes.shape
    class_of = np.full(count, -1, np.int32)
    rest = np.arange(count).astype(np.int32)
    columns = tuples.codes.T.copy()
    rows = tuples.rows.copy()
    room = room_for(count)
    number = np.empty(count, np.int32)
    extra = (np.empty(count, np.int32), np.empty(count + 1, np.int32), np.empty(count, np.int32))
    sums = np.empty(count, np.int64)
    done = np.zeros(len(nodes), np.bool_)
    best, losses = np.empty(batch, np.int32), np.empty(batch)
    margins = np.zeros((width, tree.low.shape[1]))
    weight = 0
    for one in range(count):
        weight += rows[one]
        for column in range(width):
            for level in range(tree.height[column] + 1):
                margins[column, level] += rows[one] * tree.cost[column, level, columns[column, one]]
    classes, mark = 0, 0
    while True:
        ranked = _rank(nodes, done, margins, weight, best, losses)
        for place in range(ranked):
            if weight < rule.k:
                return class_of, classes
            node = best[place]
            done[node] = True
            if losses[place] > stop:
                continue
            mark += 1
            groups = group_at(columns, count, tree, nodes[node], rows, room, mark, sums)
            new = _published(
                tuples, rule, rest[:count], room, count, groups, sums, extra, scratch, number, classes
            )
            if new == 0:
                continue
            classes += new
            kept = 0
            for at in range(count):
                found = number[room.ids[at]]
                if found < 0:
                    rest[kept] = rest[at]
                    rows[kept] = rows[at]
                    for column in range(width):
                        columns[column, kept] = columns[column, at]
                    kept += 1
                    continue
                class_of[rest[at]] = found
                weight -= rows[at]
                for column in range(width):
                    for level in range(tree.height[column] + 1):
                        margins[column, level] -= rows[at] * tree.cost[column, level, columns[column, at]]
            count = kept
        if ranked < batch:
            return class_of, classes
