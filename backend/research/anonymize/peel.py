"""Classes by peeling: walk the lattice of levels from little to much loss, publish each class that passes.

At every node the tuples still left are grouped by their generalised codes; groups that satisfy the rule are
published and leave. So rows in dense regions are published nearly as they are, and only the rest goes on to
wider levels. Nodes come in the order of the mean loss they would mean for the rows still left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.at_levels import Room, count_people, group_at, room_for, sort_groups
from backend.research.anonymize.criteria import diverse, holds, scratch_for
from backend.research.anonymize.grouping import WORD_BITS, Words, mixed
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.joint import JoinedCodes, Joint, joint_of
from backend.research.anonymize.lattice import Lattice, count_out, lattice_of, margins_of, rank
from backend.research.anonymize.problem import Ids, Ints, Problem, Rule, Tree, Tuples

BATCH = 64  # nodes taken from one ranking
TRIMMED = 24  # tuples of a group that is tried without its most frequent values
FAILED_BITS = 14  # log2 of how many failed groups are remembered
STEP = (
    0.0005  # loss by which the next node must differ where checks are dear: entropy and recursive diversity
)
STOP = 0.6  # loss of a node from which it is better to widen a published class


def peel(problem: Problem) -> tuple[Ids, int]:
    """Return the class of each tuple (-1: left over) and the number of classes."""
    joint, codes = joint_of(problem.tree, problem.tuples.codes)
    scratch = scratch_for(problem.rule)
    step = STEP if problem.rule.kind > 1 else 0.0
    return _peel(
        problem.tuples,
        problem.tree,
        problem.rule,
        lattice_of(problem.tree),
        joint,
        codes,
        scratch,
        STOP,
        step,
        BATCH,
    )


class Guard(NamedTuple):
    """Room for what the sensitive columns need, and what is remembered of groups that failed.

    ``tags`` are random words, one a place; a group is known by the sum of its members' (into ``sums``): at
    other levels it is often the same. ``failed`` holds those of groups that failed, by their first bits.
    ``spared`` marks places that are left out of their group.
    """

    number: Ids
    waiting: Ids
    order: Ids
    starts: Ids
    members: Ids
    spared: NDArray[np.bool_]
    tags: Words
    sums: Words
    failed: Words


@kernel
def _guard_for(count: int) -> Guard:
    tags = np.empty(count, np.uint64)
    for one in range(count):
        tags[one] = mixed(np.uint64(one + 1))
    return Guard(
        np.empty(count, np.int32),
        np.empty(count, np.int32),
        np.empty(count, np.int32),
        np.empty(count + 1, np.int32),
        np.empty(count, np.int32),
        np.zeros(count, np.bool_),
        tags,
        np.empty(count, np.uint64),
        np.zeros(1 << FAILED_BITS, np.uint64),
    )


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
def _ready(room: Room, grouped: int, groups: int, k: int, guard: Guard) -> int:
    """Number from 0 the groups with k patients that did not fail before (others: -1); return how many.

    ``guard.waiting`` takes the group of each number.
    """
    ready = 0
    for found in range(groups):
        guard.number[found] = -1
        ready += room.sums[found] >= k
    if ready == 0:
        return 0
    guard.sums[:groups] = 0
    for at in range(grouped):
        place = room.near[at]
        guard.sums[room.ids[place]] += guard.tags[place]
    ready = 0
    for found in range(groups):
        if room.sums[found] >= k and not _failed(guard, found):
            guard.number[found] = ready
            guard.waiting[ready] = found
            ready += 1
    return ready


@kernel
def _failed(guard: Guard, found: int) -> bool:
    """Whether a group of the same members failed before."""
    word = guard.sums[found]
    return bool(guard.failed[word >> np.uint64(WORD_BITS - FAILED_BITS)] == word)


@kernel
def _published(
    tuples: Tuples,
    rule: Rule,
    rest: Ids,
    room: Room,
    grouped: int,
    groups: int,
    number: Ids,
    guard: Guard,
    scratch: Ints,
    classes: int,
) -> int:
    """Number the groups that satisfy the rule from ``classes`` on (others: -1); return how many there are.

    Of a numbered group, places marked in ``guard.spared`` are not published.
    """
    new = 0
    if rule.share.shape[0] == 0:
        for found in range(groups):
            number[found] = -1
            if room.sums[found] >= rule.k:
                number[found] = classes + new
                new += 1
        return new
    ready = _ready(room, grouped, groups, rule.k, guard)
    if ready == 0:
        return 0
    sort_groups(room, grouped, guard.number, ready, guard.order, guard.starts)
    order, members = guard.order, guard.members
    number[:groups] = -1
    for one in range(ready):
        found, start, stop = guard.waiting[one], guard.starts[one], guard.starts[one + 1]
        for at in range(start, stop):
            members[at - start] = rest[order[at]]
            guard.spared[order[at]] = False
        if not holds(tuples, rule, members, 0, stop - start, scratch) and (
            rule.kind < 2
            or stop - start > TRIMMED
            or not _trimmed(tuples, rule, rest, order, start, stop, members, guard.spared, scratch)
        ):
            guard.failed[guard.sums[found] >> np.uint64(WORD_BITS - FAILED_BITS)] = guard.sums[found]
            continue
        number[found] = classes + new
        new += 1
    return new


@kernel
def _peel(
    tuples: Tuples,
    tree: Tree,
    rule: Rule,
    lattice: Lattice,
    joint: Joint,
    codes: JoinedCodes,
    scratch: Ints,
    stop: float,
    step: float,
    batch: int,
) -> tuple[Ids, int]:
    count = len(tuples.rows)
    class_of = np.full(count, -1, np.int32)
    rest = np.arange(count).astype(np.int32)
    heads, person = tuples.heads.copy(), tuples.person.copy()
    room = room_for(count, joint)
    number, last = np.empty(count, np.int32), np.empty(count, np.int32)
    guard = _guard_for(count if rule.share.shape[0] > 0 else 0)
    done = np.zeros(len(lattice.nodes), np.bool_)
    best, losses = np.empty(batch, np.int32), np.empty(batch)
    margins, weight = margins_of(tuples, tree), int(tuples.rows.sum())
    ranking = (np.empty(len(lattice.nodes)), np.empty(lattice.level.shape[1]))
    classes, reached = 0, -1.0
    while True:
        ranked = rank(lattice, done, margins, weight, best, losses, ranking)
        for place in range(ranked):
            if weight < rule.k:
                return class_of, classes
            node = best[place]
            done[node] = True
            if losses[place] > stop or reached < losses[place] < reached + step:
                continue
            reached = losses[place]
            grouped, groups = group_at(joint, codes, count, lattice.nodes[node], heads, rule.k, room)
            if rule.several:
                count_people(room, grouped, groups, heads, person, last)
            new = _published(tuples, rule, rest, room, grouped, groups, number, guard, scratch, classes)
            if new == 0:
                continue
            classes += new
            kept = 0
            for at in range(count):
                one, found = rest[at], room.ids[at]
                if found >= 0 and number[found] >= 0 and not (len(guard.spared) > 0 and guard.spared[at]):
                    class_of[one] = number[found]
                    weight -= tuples.rows[one]
                    count_out(tuples, tree, one, tuples.rows[one], margins)
                    continue
                if len(guard.spared) > 0:
                    guard.spared[at] = False
                    guard.tags[kept] = guard.tags[at]
                rest[kept], heads[kept], person[kept] = one, heads[at], person[at]
                for block in range(len(codes)):
                    codes[block, kept] = codes[block, at]
                kept += 1
            count = kept
        if ranked < batch:
            return class_of, classes
