"""Grouping tuples by their codes generalised to given levels: the inner loop of the lattice walks.

At most nodes few groups have k patients. So patients are counted first by a hash of the key alone, several
keys to a slot maybe, and only the tuples of slots that have k are grouped exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.grouping import WORD_BITS, Words, slot_of
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.joint import JoinedCodes, Joint, alike, rows_at, words_at
from backend.research.anonymize.problem import Ids, Ints


class Room(NamedTuple):
    """Memory for ``group_at``, used again and again; and what it found.

    ``near`` are the places that were grouped, rising. ``ids`` is the group of each of them, and -1 for all
    other places. ``sums`` is the weight of each group.
    """

    near: Ids
    ids: Ids
    sums: Ints
    words: Words
    slots: NDArray[np.uint32]
    crowd: Ids
    owner: Ids
    first: Ids
    row: Ints


@kernel
def room_for(count: int, joint: Joint) -> Room:
    size = 16
    while size < 2 * count:
        size *= 2
    return Room(
        np.empty(count, np.int32),
        np.empty(count, np.int32),
        np.empty(count, np.int64),
        np.empty(count, np.uint64),
        np.empty(count, np.uint32),
        np.empty(size, np.int32),
        np.empty(size, np.int32),
        np.empty(count, np.int32),
        np.empty(len(joint.begin), np.int64),
    )


@kernel
def _bits_for(count: int) -> int:
    bits = 4
    while (1 << bits) < 2 * count:
        bits += 1
    return bits


@kernel
def _crowded(words: Words, count: int, weight: Ints, k: int, room: Room) -> int:
    """Put into ``room.near`` the places whose slot has a weight of k or more; return how many there are."""
    bits = _bits_for(count)
    shift = np.uint64(WORD_BITS - bits)
    near, slots, crowd = room.near, room.slots, room.crowd
    crowd[: 1 << bits] = 0
    for place in range(count):
        slot = np.uint32(slot_of(words[place], shift))
        slots[place] = slot
        crowd[slot] += weight[place]
    found = 0
    for place in range(count):
        near[found] = place
        found += crowd[slots[place]] >= k
    return found


@kernel
def group_at(
    joint: Joint, codes: JoinedCodes, count: int, levels: Ints, weight: Ints, k: int, room: Room
) -> tuple[int, int]:
    """Group places 0 .. count-1, but for those surely in groups of a weight below k.

    Returns how many places were grouped and into how many groups; ``room`` has the rest.
    """
    near, ids, sums, words, owner, first = room.near, room.ids, room.sums, room.words, room.owner, room.first
    rows_at(joint, levels, room.row)
    words_at(joint, codes, count, room.row, words)
    grouped = _crowded(words, count, weight, k, room)
    ids[:count] = -1
    bits = _bits_for(grouped)
    mask = (1 << bits) - 1
    shift = np.uint64(WORD_BITS - bits)
    owner[: 1 << bits] = -1
    groups = 0
    for at in range(grouped):
        place = near[at]
        word = words[place]
        slot = slot_of(word, shift)
        while True:
            found = owner[slot]
            if found < 0:
                owner[slot] = groups
                ids[place] = groups
                first[groups] = place
                sums[groups] = weight[place]
                groups += 1
                break
            if words[first[found]] == word and (
                joint.exact or alike(joint, codes, room.row, first[found], place)
            ):
                ids[place] = found
                sums[found] += weight[place]
                break
            slot = (slot + 1) & mask
    return grouped, groups


@kernel
def count_people(room: Room, grouped: int, groups: int, heads: Ints, person: Ids, last: Ids) -> None:
    """Put into ``room.sums`` the distinct patients of each group; places are sorted by person."""
    room.sums[:groups] = 0
    last[:groups] = -1
    for at in range(grouped):
        place = room.near[at]
        found = room.ids[place]
        if person[place] < 0 or last[found] != person[place]:
            room.sums[found] += heads[place]
            last[found] = person[place]


@kernel
def sort_groups(room: Room, grouped: int, number: Ids, groups: int, order: Ids, starts: Ids) -> None:
    """Places by their group's ``number`` (below ``groups``) into ``order``, within a group in their order.

    Those of number g are starts[g] .. starts[g+1]; those of a group of a number below 0 are left out.
    """
    near, ids = room.near, room.ids
    starts[: groups + 1] = 0
    for at in range(grouped):
        one = number[ids[near[at]]]
        if one >= 0:
            starts[one + 1] += 1
    for one in range(groups):
        starts[one + 1] += starts[one]
    for at in range(grouped):
        place = near[at]
        one = number[ids[place]]
        if one >= 0:
            order[starts[one]] = place
            starts[one] += 1
    for one in range(groups, 0, -1):
        starts[one] = starts[one - 1]
    starts[0] = 0
