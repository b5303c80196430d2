"""Grouping tuples by their codes generalised to given levels: the inner loop of the lattice walks.

The codes are held a column a row (``columns[column, place]``), so that a column is one gather from a table
that stays in the cache, and columns at their root are skipped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.grouping import WORD_BITS, Words, slot_of
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Ids, Ints, Tree


class Room(NamedTuple):
    """Memory for ``group_at`` over up to len(ids) places, used again and again.

    ``held`` and ``owner`` are a hash table; an owner is a group together with the mark of the call that wrote
    it, so that nothing needs clearing. ``first`` is the first place of each group.
    """

    words: Words
    ids: Ids
    first: Ids
    held: Words
    owner: Ints


@kernel
def room_for(count: int) -> Room:
    size = 16
    while size < 2 * count:
        size *= 2
    return Room(
        np.empty(count, np.uint64),
        np.empty(count, np.int32),
        np.empty(count, np.int32),
        np.empty(size, np.uint64),
        np.full(size, -1, np.int64),
    )


@kernel
def _same(columns: NDArray[np.int32], tree: Tree, levels: Ints, one: int, other: int) -> bool:
    for column in range(len(levels)):
        low = tree.low[column, levels[column]]
        if low[columns[column, one]] != low[columns[column, other]]:
            return False
    return True


@kernel
def group_at(
    columns: NDArray[np.int32],
    count: int,
    tree: Tree,
    levels: Ints,
    weight: Ints,
    room: Room,
    mark: int,
    sums: Ints,
) -> int:
    """Number the groups of places 0 .. count-1 into ``room.ids``; return how many.

    ``sums`` takes the sum of ``weight`` over each group. ``mark`` is above that of every call before.
    """
    words, held, owner = room.words, room.held, room.owner
    words[:count] = 0
    for column in range(len(levels)):
        if levels[column] >= tree.height[column]:
            continue
        term, codes = tree.term[column, levels[column]], columns[column]
        for place in range(count):
            words[place] += term[codes[place]]
    bits = 4
    while (1 << bits) < 2 * count:
        bits += 1
    mask = (1 << bits) - 1
    shift = np.uint64(WORD_BITS - bits)
    base = np.int64(mark) << 32
    groups = np.int64(0)
    for place in range(count):
        word = words[place]
        slot = slot_of(word, shift)
        while True:
            found = owner[slot]
            if found < base:
                held[slot] = word
                owner[slot] = base | groups
                room.ids[place] = groups
                room.first[groups] = place
                sums[groups] = weight[place]
                groups += 1
                break
            found -= base
            if held[slot] == word and (tree.exact or _same(columns, tree, levels, room.first[found], place)):
                room.ids[place] = found
                sums[found] += weight[place]
                break
            slot = (slot + 1) & mask
    return int(groups)


@kernel
def count_people(ids: Ids, count: int, groups: int, heads: Ints, person: Ids, last: Ids, sums: Ints) -> None:
    """Put into ``sums`` the distinct patients of each group; places are sorted by person."""
    sums[:groups] = 0
    last[:groups] = -1
    for place in range(count):
        found = ids[place]
        if person[place] < 0 or last[found] != person[place]:
            sums[found] += heads[place]
            last[found] = person[place]


@kernel
def sort_groups(ids: Ids, count: int, groups: int, order: Ids, starts: Ids) -> None:
    """Places by group into ``order``, within a group in their order; group g is starts[g] .. starts[g+1]."""
    starts[: groups + 1] = 0
    for place in range(count):
        starts[ids[place] + 1] += 1
    for found in range(groups):
        starts[found + 1] += starts[found]
    for place in range(count):
        found = ids[place]
        order[starts[found]] = place
        starts[found] += 1
    for found in range(groups, 0, -1):
        starts[found] = starts[found - 1]
    starts[0] = 0
