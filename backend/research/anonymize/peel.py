"""Classes by peeling: walk the lattice of levels from little to much loss, publish each class that passes.

At every node the tuples still left are grouped by their generalised codes; groups that satisfy the rule are
published and leave. So rows in dense regions are published nearly as they are, and only the rest goes on to
wider levels. Nodes come in the order of the mean loss they would mean for the rows still left.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.at_levels import count_people, group_at, room_for
from backend.research.anonymize.criteria import diverse, holds, scratch_for
from backend.research.anonymize.grouping import WORD_BITS, Words, mixed
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Floats, Ids, Ints, Problem, Rule, Tree, Tuples

MAX_NODES = 1 << 15
BATCH = 64  # nodes taken from one ranking
TRIMMED = 24  # tuples of a group that is tried without its most frequent values
FAILED_BITS = 14  # log2 of how many failed groups are remembered
STEP = (
    0.0005  # loss by which the next node must differ where checks are dear: entropy and recursive diversity
)
STOP = 0.6  # loss of a node from which it is better to widen a published class


def peel(problem: Problem) -> tuple[Ids, int]:
    """Return the class of each tuple (-1: left over) and the number of classes."""
    nodes = nodes_of(problem.tree)
    scratch = scratch_for(problem.rule)
    step = STEP if problem.rule.kind > 1 else 0.0
    return _peel(problem.tuples, problem.tree, problem.rule, nodes, scratch, STOP, step, BATCH)


def nodes_of(tree: Tree) -> Ints:
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
def margins_of(tree: Tree, columns: NDArray[np.int32], rows: Ints) -> Floats:
    """The loss (in rows) of each column (``columns`` is columns x tuples) at each of its levels."""
    margins = np.zeros((len(columns), tree.low.shape[1]))
    for one in range(len(rows)):
        for column in range(len(columns)):
            for level in range(tree.height[column] + 1):
                margins[column, level] += rows[one] * tree.cost[column, level, columns[column, one]]
    return margins


@kernel
def rank(
    nodes: NDArray[np.int32],
    done: NDArray[np.bool_],
    margins: Floats,
    weight: int,
    best: Ids,
    kept: Floats,
    loss: Floats,
) -> int:
    """Put the nodes not done of least mean loss into ``best``, rising (``kept``); return how many.

    ``nodes`` is columns x nodes here, and ``loss`` room for one number a node.
    """
    loss[:] = 0.0
    for column in range(nodes.shape[0]):
        margin, levels = margins[column], nodes[column]
        for node in range(len(loss)):
            loss[node] += margin[levels[node]]
    found = 0
    last = np.inf
    for node in range(len(loss)):
        if loss[node] >= last or done[node]:
            continue
        place = found if found < len(best) else found - 1
        while place > 0 and kept[place - 1] > loss[node]:
            kept[place] = kept[place - 1]
            best[place] = best[place - 1]
            place -= 1
        kept[place] = loss[node]
        best[place] = node
        found = min(found + 1, len(best))
        if found == len(best):
            last = kept[found - 1]
    for place in range(found):
        kept[place] /= weight
    return found


@kernel
def _lists(ids: Ids, count: int, number: Ids, ready: int, order: Ids, starts: Ids) -> None:
    """Places of the groups that have a number in ``number``, by that number, from starts[number] on."""
    starts[: ready + 1] = 0
    for place in range(count):
        if number[ids[place]] >= 0:
            starts[number[ids[place]] + 1] += 1
    for one in range(ready):
        starts[one + 1] += starts[one]
    for place in range(count):
        one = number[ids[place]]
        if one >= 0:
            order[starts[one]] = place
            starts[one] += 1
    for one in range(ready, 0, -1):
        starts[one] = starts[one - 1]
    starts[0] = 0


@kernel
def _trimmed(
    tuples: Tuples,
    rule: Rule,
    rest: Ids,
    order: Ids,
    start: int,
    stop: int,
    members: Ids,
    spared: NDArray[np.bool_],
    scratch: Ints,
) -> bool:
    """Whether a group satisfies the rule without some rows of its most frequent values; marks them spared.

    For entropy and recursive diversity, which a single frequent value breaks.
    """
    size = rule.share.shape[1]
    hist = scratch[:size]
    while stop > start:
        dropped = False
        for column in range(rule.share.shape[0]):
            hist[:] = 0
            total = 0
            for at in range(start, stop):
                one = rest[order[at]]
                hist[tuples.sensitive[one, column]] += tuples.rows[one]
                total += tuples.rows[one]
            while total >= rule.k and not diverse(rule, hist, total, column, scratch[size:]):
                top = np.argmax(hist)
                at = stop - 1
                while tuples.sensitive[rest[order[at]], column] != top:
                    at -= 1
                place = order[at]
                order[at : stop - 1] = order[at + 1 : stop]
                order[stop - 1] = place
                spared[place] = True
                stop -= 1
                hist[top] -= tuples.rows[rest[place]]
                total -= tuples.rows[rest[place]]
                dropped = True
            if total < rule.k:
                return False
        if not dropped:
            break
    for at in range(start, stop):
        members[at - start] = rest[order[at]]
    return holds(tuples, rule, members, 0, stop - start, scratch)


@kernel
def _ready(
    ids: Ids,
    count: int,
    groups: int,
    heads: Ints,
    k: int,
    tags: Words,
    failed: Words,
    sums: Words,
    number: Ids,
    waiting: Ids,
) -> int:
    """Number from 0 the groups with k patients that did not fail before (others: -1); return how many.

    ``failed`` remembers groups by the sum of their members' tags (into ``sums``): at other levels a group is
    often the same. ``waiting`` takes the group of each number.
    """
    ready = 0
    for found in range(groups):
        number[found] = -1
        ready += heads[found] >= k
    if ready == 0:
        return 0
    sums[:groups] = 0
    for place in range(count):
        sums[ids[place]] += tags[place]
    ready = 0
    for found in range(groups):
        if heads[found] >= k and failed[sums[found] >> np.uint64(WORD_BITS - FAILED_BITS)] != sums[found]:
            number[found] = ready
            waiting[ready] = found
            ready += 1
    return ready


@kernel
def _published(
    tuples: Tuples,
    rule: Rule,
    rest: Ids,
    ids: Ids,
    count: int,
    groups: int,
    heads: Ints,
    extra: tuple[Ids, Ids, Ids, Ids],
    tags: tuple[Words, Words, Words],
    spared: NDArray[np.bool_],
    scratch: Ints,
    number: Ids,
    classes: int,
) -> int:
    """Number the groups that satisfy the rule from ``classes`` on (others: -1); return how many there are.

    Of a numbered group, places marked in ``spared`` are not published.
    """
    new = 0
    if rule.share.shape[0] == 0:
        for found in range(groups):
            number[found] = -1
            if heads[found] >= rule.k:
                number[found] = classes + new
                new += 1
        return new
    order, starts, spare, waiting = extra
    tag, failed, sums = tags
    ready = _ready(ids, count, groups, heads, rule.k, tag, failed, sums, number, waiting)
    if ready == 0:
        return 0
    _lists(ids, count, number, ready, order, starts)
    for one in range(ready):
        found = waiting[one]
        number[found] = -1
        start, stop = starts[one], starts[one + 1]
        for at in range(start, stop):
            spare[at - start] = rest[order[at]]
            spared[order[at]] = False
        if not holds(tuples, rule, spare, 0, stop - start, scratch) and (
            rule.kind < 2
            or stop - start > TRIMMED
            or not _trimmed(tuples, rule, rest, order, start, stop, spare, spared, scratch)
        ):
            failed[sums[found] >> np.uint64(WORD_BITS - FAILED_BITS)] = sums[found]
            continue
        number[found] = classes + new
        new += 1
    return new


@kernel
def _peel(
    tuples: Tuples, tree: Tree, rule: Rule, nodes: Ints, scratch: Ints, stop: float, step: float, batch: int
) -> tuple[Ids, int]:
    count, width = tuples.codes.shape
    class_of = np.full(count, -1, np.int32)
    rest = np.arange(count).astype(np.int32)
    columns = tuples.codes.T.copy()
    rows, heads, person = tuples.rows.copy(), tuples.heads.copy(), tuples.person.copy()
    room = room_for(count)
    number, last = np.empty(count, np.int32), np.empty(count, np.int32)
    guarded = count if rule.share.shape[0] > 0 else 0  # room that only the sensitive columns need
    extra = (
        np.empty(guarded, np.int32),
        np.empty(guarded + 1, np.int32),
        np.empty(guarded, np.int32),
        np.empty(guarded, np.int32),
    )
    tags = (np.empty(guarded, np.uint64), np.zeros(1 << FAILED_BITS, np.uint64), np.empty(guarded, np.uint64))
    for one in range(guarded):
        tags[0][one] = mixed(np.uint64(one + 1))
    spared = np.zeros(count, np.bool_)
    sums = np.empty(count, np.int64)
    done = np.zeros(len(nodes), np.bool_)
    best, losses = np.empty(batch, np.int32), np.empty(batch)
    margins, weight = margins_of(tree, columns, rows), int(rows.sum())
    by_column, scores = nodes.T.astype(np.int32), np.empty(len(nodes))
    classes, mark, reached = 0, 0, -1.0
    while True:
        ranked = rank(by_column, done, margins, weight, best, losses, scores)
        for place in range(ranked):
            if weight < rule.k:
                return class_of, classes
            node = best[place]
            done[node] = True
            if losses[place] > stop or reached < losses[place] < reached + step:
                continue
            reached = losses[place]
            mark += 1
            groups = group_at(columns, count, tree, nodes[node], heads, room, mark, sums)
            if rule.several:
                count_people(room.ids, count, groups, heads, person, last, sums)
            new = _published(
                tuples,
                rule,
                rest,
                room.ids,
                count,
                groups,
                sums,
                extra,
                tags,
                spared,
                scratch,
                number,
                classes,
            )
            if new == 0:
                continue
            classes += new
            kept = 0
            for at in range(count):
                found = number[room.ids[at]]
                if found < 0 or spared[at]:
                    spared[at] = False
                    rest[kept] = rest[at]
                    rows[kept] = rows[at]
                    heads[kept] = heads[at]
                    person[kept] = person[at]
                    if guarded > 0:
                        tags[0][kept] = tags[0][at]
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
