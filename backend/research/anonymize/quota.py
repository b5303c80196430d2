"""Classes for t-closeness: peel the lattice, and from each group take as many rows as the quotas allow.

A group rarely has the distribution of the whole table, but a part of it can. With equal ground distance a
class of n rows is within t when the rows that its values have above their quotas (share times n) are at most
t times n in all (Li, Li, Venkatasubramanian 2007). So the largest such part of a group is published and the
rest goes on to wider groups, as in ``peel``. With several sensitive columns the quotas are those of their
combinations, since distributions that are close together are close in each column.

Quotas are filled to a part of t only: what stays over at the end is then still taken in by published classes.
"""

from __future__ import annotations

import numpy as np

from backend.research.anonymize.at_levels import group_at, room_for, sort_groups
from backend.research.anonymize.criteria import SLACK, holds, scratch_for
from backend.research.anonymize.grouping import number_rows
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
    sensitive, columns = problem.tuples.sensitive, problem.tuples.sensitive.shape[1]
    value, _ = number_rows(
        [sensitive[:, column] for column in range(columns)],
        [int(sensitive[:, column].max()) + 1 for column in range(columns)],
    )
    share = np.bincount(value) / len(value)
    joint, codes = joint_of(problem.tree, problem.tuples.codes)
    return _quota(
        problem.tuples,
        problem.tree,
        problem.rule,
        lattice_of(problem.tree),
        joint,
        codes,
        value,
        share,
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
            best, least_above = -1, 2.0
            for value in range(len(share)):
                if taken[value] < hist[value]:
                    more = min(1.0, taken[value] + 1 - share[value] * whole)
                    if more < least_above:
                        best, least_above = value, more
            if best < 0:
                break
            taken[best] += 1
            above += least_above
            missing -= 1
        if missing == 0 and above <= t * whole + SLACK:
            return whole
    return 0


@kernel
def _quota(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    lattice: Lattice,
    joint: Joint,
    codes: JoinedCodes,
    value: Ids,
    share: Floats,
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
    picked = np.empty(count, np.int32)
    hist, taken = np.zeros(len(share), np.int64), np.zeros(len(share), np.int64)
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
                hist[:] = 0
                for at in range(starts[found], starts[found + 1]):
                    hist[value[rest[order[at]]]] += 1
                while left >= rule.k:
                    size = _part(hist, left, share, rule.t * FILLED, rule.k, taken)
                    if size == 0:
                        break
                    chosen = 0
                    for at in range(starts[found], starts[found + 1]):
                        one = rest[order[at]]
                        if class_of[one] < 0 and taken[value[one]] > 0:
                            taken[value[one]] -= 1
                            hist[value[one]] -= 1
                            picked[chosen] = one
                            chosen += 1
                    if not holds(tuples, rule, picked, 0, chosen, scratch):
                        break
                    class_of[picked[:chosen]] = classes
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
