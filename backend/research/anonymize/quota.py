"""Classes for t-closeness: peel the lattice, and from each group take as many rows as the quotas allow.

A group rarely has the distribution of the whole table, but a part of it can. With equal ground distance a
class of n rows is within t when the rows that its values have above their quotas (share times n) are at most
t times n in all (Li, Li, Venkatasubramanian 2007). So the largest such part of a group is published and the
rest goes on to wider groups, as in ``peel``. With several sensitive columns a part is narrowed column after
column until it is within t in each; rows that are above quotas of other columns, too, go first.

Quotas are filled to a part of t only: what stays over at the end is then still taken in by published classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.at_levels import group_at, room_for, sort_groups
from backend.research.anonymize.criteria import SLACK, holds, scratch_for
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.joint import JoinedCodes, Joint, joint_of
from backend.research.anonymize.lattice import Lattice, count_out, lattice_of, margins_of, rank
from backend.research.anonymize.problem import Floats, Ids, Ints, Problem, Rule, Tree, Tuples

BATCH = 32  # nodes taken from one ranking
STEP = 0.002  # loss by which the next node must differ: many nodes give much the same groups here
FILLED = 0.8  # of t
TRIES = 12  # sizes tried below the largest that the quotas allow but for whole rows


def quota(problem: Problem) -> tuple[Ids, int]:
    """Return the class of each tuple (-1: left over) and the number of classes. Every tuple is one row."""
    joint, codes = joint_of(problem.tree, problem.tuples.codes)
    return _quota(
        problem.tuples,
        problem.tree,
        problem.rule,
        lattice_of(problem.tree),
        joint,
        codes,
        scratch_for(problem.rule),
        STEP,
        BATCH,
    )


@kernel
def _part(hist: Ints, total: int, share: Floats, t: float, k: int, taken: Ints) -> int:
    """Put into ``taken`` how many rows of each value the largest part within t has; return its size or 0."""
    least, most = 0.0, float(total)
    for _ in range(40):  # the largest size but for whole rows; the share within quotas falls with the size
        size = most if least == 0.0 and most == total else (least + most) / 2
        within = 0.0
        for value in range(len(share)):
            within += min(float(hist[value]), share[value] * size)
        if within >= (1.0 - t) * size:
            least = size
            if size == total:
                break
        elif size == total:
            most = np.nextafter(size, 0.0)
        else:
            most = size
        if most - least < 0.5:
            break
    size_of = int(least + 0.5)
    for whole in range(min(size_of, total), max(k, size_of - TRIES) - 1, -1):
        above, missing = 0.0, whole
        for value in range(len(share)):
            taken[value] = min(hist[value], int(share[value] * whole + SLACK))
            missing -= taken[value]
        while missing > 0:
            best, least_above, most_left = -1, 2.0, 0
            for value in range(len(share)):
                left = hist[value] - taken[value]
                if left > 0:
                    more = min(1.0, taken[value] + 1 - share[value] * whole)
                    # Of equals the most frequent one, so that what goes on is less uneven.
                    if more < least_above or (more == least_above and left > most_left):
                        best, least_above, most_left = value, more, left
            if best < 0:
                break
            taken[best] += 1
            above += least_above
            missing -= 1
        if missing == 0 and above <= t * whole + SLACK:
            return whole
    return 0


@kernel
def _above_others(tuples: Tuples, share: Floats, hist: Ints, count: int, one: int, column: int) -> bool:
    """Whether a row has a value above its quota among ``count`` rows, in another column than this one."""
    for other in range(len(share)):
        value = tuples.sensitive[one, other]
        if other != column and hist[other, value] > share[other, value] * count:
            return True
    return False


@kernel
def _narrow(
    tuples: Tuples,
    share: Floats,
    column: int,
    members: Ids,
    count: int,
    hist: Ints,
    taken: Ints,
    goes: NDArray[np.bool_],
) -> int:
    """Keep of ``members`` as many of each value of a column as ``taken`` says; return how many stay.

    ``hist`` counts the values of all columns, before and after.
    """
    goes[:count] = True
    for above in (False, True):
        for at in range(count):
            value = tuples.sensitive[members[at], column]
            if (
                goes[at]
                and taken[value] > 0
                and (above or not _above_others(tuples, share, hist, count, members[at], column))
            ):
                goes[at] = False
                taken[value] -= 1
    kept = 0
    for at in range(count):
        one = members[at]
        if goes[at]:
            for other in range(len(share)):
                hist[other, tuples.sensitive[one, other]] -= 1
        else:
            members[kept] = one
            kept += 1
    return kept


@kernel
def _within(
    tuples: Tuples,
    rule: Rule,
    t: float,
    members: Ids,
    count: int,
    hist: Ints,
    taken: Ints,
    goes: NDArray[np.bool_],
) -> int:
    """Narrow ``members`` to a part that is within t in each column; return its size or 0."""
    columns = len(rule.share)
    hist[:] = 0
    for at in range(count):
        for column in range(columns):
            hist[column, tuples.sensitive[members[at], column]] += 1
    column, settled = 0, 0
    while settled < columns:
        size = _part(hist[column], count, rule.share[column], t, rule.k, taken)
        if size == 0:
            return 0
        if size < count:
            count = _narrow(tuples, rule.share, column, members, count, hist, taken, goes)
            settled = 0
        settled += 1
        column = (column + 1) % columns
    return count


@kernel
def _quota(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    lattice: Lattice,
    joint: Joint,
    codes: JoinedCodes,
    scratch: Ints,
    step: float,
    batch: int,
) -> tuple[Ids, int]:
    count = len(tuples.rows)
    class_of = np.full(count, -1, np.int32)
    rest = np.arange(count).astype(np.int32)
    room = room_for(count, joint)
    every = np.arange(count).astype(np.int32)
    order, starts = np.empty(count, np.int32), np.empty(count + 1, np.int32)
    picked, goes = np.empty(count, np.int32), np.empty(count, np.bool_)
    hist, taken = np.zeros(rule.share.shape, np.int64), np.zeros(rule.share.shape[1], np.int64)
    done = np.zeros(len(lattice.nodes), np.bool_)
    best, losses = np.empty(batch, np.int32), np.empty(batch)
    margins = margins_of(tuples, tree)
    ranking = (np.empty(len(lattice.nodes)), np.empty(lattice.level.shape[1]))
    classes, reached = 0, -1.0
    while True:
        ranked = rank(lattice, done, margins, count, best, losses, ranking)
        for place in range(ranked):
            if count < rule.k:
                return class_of, classes
            node = best[place]
            done[node] = True
            if reached < losses[place] < reached + step:
                continue
            reached = losses[place]
            grouped, groups = group_at(joint, codes, count, lattice.nodes[node], tuples.rows, rule.k, room)
            sort_groups(room, grouped, every, groups, order, starts)
            before = classes
            for found in range(groups):
                left = starts[found + 1] - starts[found]
                if left < rule.k:
                    continue
                while left >= rule.k:
                    size = 0
                    for at in range(starts[found], starts[found + 1]):
                        one = rest[order[at]]
                        if class_of[one] < 0:
                            picked[size] = one
                            size += 1
                    size = _within(tuples, rule, rule.t * FILLED, picked, size, hist, taken, goes)
                    if size == 0 or not holds(tuples, rule, picked, 0, size, scratch):
                        break
                    class_of[picked[:size]] = classes
                    classes += 1
                    left -= size
            if classes == before:
                continue
            kept = 0
            for at in range(count):
                one = rest[at]
                if class_of[one] < 0:
                    rest[kept] = one
                    for block in range(len(codes)):
                        codes[block, kept] = codes[block, at]
                    kept += 1
                    continue
                count_out(tuples, tree, one, 1, margins)
            count = kept
        if ranked < batch:
            return class_of, classes
