"""Columns joined into few blocks, so that the key of a tuple at given levels is a few look-ups.

Columns of small domains share a block: its code is the mixed-radix number of theirs, and a table tells for
each combination of their levels the group that each code falls into. Blocks are kept small, so that the
tables in use stay in the nearest cache.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.grouping import WORD_BITS, Words
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Ids, Ints, Tree

JoinedCodes = NDArray[np.uint32]

MAX_CODES = 2_048  # of a block of several columns
MAX_TABLE = 1 << 17  # codes times combinations of levels of such a block


class Joint(NamedTuple):
    """``group`` holds, block after block, a row for each combination of levels: the group of each code there.

    Block b has its rows of ``size[b]`` codes from ``begin[b]`` on; the last one, all columns at their root,
    begins at ``top[b]``. ``block[column]`` is where a column went, and ``step[column]`` how much further on
    in ``group`` its next level is. A key is the sum over blocks of group times ``stride``; unlike groups have
    unlike keys when ``exact``, else keys are hashes.
    """

    group: Ids
    begin: Ints
    top: Ints
    size: Ints
    block: Ints
    step: Ints
    stride: Words
    exact: bool


def joint_of(tree: Tree, codes: NDArray[np.int32]) -> tuple[Joint, JoinedCodes]:
    """Join the columns of ``codes`` (tuples x columns); return also the blocks' codes (blocks x tuples)."""
    sizes, levels = tree.size.tolist(), (tree.height + 1).tolist()
    blocks = _blocks(sizes, levels)
    joined = np.zeros((len(blocks), len(codes)), dtype=np.uint32)
    tables: list[NDArray[np.int32]] = []
    begin, top = np.zeros((2, len(blocks)), dtype=np.int64)
    block, step = np.zeros((2, len(sizes)), dtype=np.int64)
    at = 0
    for number, columns in enumerate(blocks):
        width = math.prod(sizes[column] for column in columns)
        combinations = math.prod(levels[column] for column in columns)
        moved = combinations
        for column in columns:
            joined[number] = joined[number] * sizes[column] + codes[:, column].astype(np.uint32)
            moved //= levels[column]
            block[column], step[column] = number, moved * width
        begin[number], top[number] = at, at + (combinations - 1) * width
        at += combinations * width
        tables += [
            _groups(tree, columns, sizes, own)
            for own in itertools.product(*(range(levels[column]) for column in columns))
        ]
    widths = [math.prod(sizes[column] for column in columns) for columns in blocks]
    exact = math.prod(widths) <= 1 << WORD_BITS
    if exact:
        strides = [math.prod(widths[:number]) for number in range(len(blocks))]
    else:
        drawn = np.random.default_rng(len(blocks)).integers(0, 1 << 63, len(blocks)).tolist()
        strides = [2 * odd + 1 for odd in drawn]
    size, stride = np.array(widths, dtype=np.int64), np.array(strides, dtype=np.uint64)
    return Joint(np.concatenate(tables), begin, top, size, block, step, stride, exact), joined


def _blocks(sizes: list[int], levels: list[int]) -> list[list[int]]:
    """First fit, the largest column first."""
    blocks: list[list[int]] = []
    for column in sorted(range(len(sizes)), key=lambda column: -sizes[column]):
        for block in blocks:
            codes = math.prod(sizes[other] for other in (*block, column))
            if codes <= MAX_CODES and codes * math.prod(levels[c] for c in (*block, column)) <= MAX_TABLE:
                block.append(column)
                break
        else:
            blocks.append([column])
    return blocks


def _groups(tree: Tree, columns: list[int], sizes: list[int], levels: tuple[int, ...]) -> NDArray[np.int32]:
    """For each joint code the joint code of the first member of its group."""
    groups = np.zeros(1, dtype=np.int32)
    for column, level in zip(columns, levels, strict=True):
        own = tree.low[column, level, : sizes[column]]
        groups = (groups[:, None] * np.int32(sizes[column]) + own).reshape(-1)
    return groups


@kernel
def rows_at(joint: Joint, levels: Ints, row: Ints) -> None:
    """Put into ``row`` where each block's groups at these levels begin."""
    row[:] = joint.begin
    for column in range(len(levels)):
        row[joint.block[column]] += levels[column] * joint.step[column]


@kernel
def words_at(joint: Joint, codes: JoinedCodes, count: int, row: Ints, words: Words) -> None:
    """Put the keys of places 0 .. count-1 into ``words``; ``row`` as ``rows_at`` fills it."""
    group = joint.group
    words[:count] = 0
    for block in range(len(row)):
        begin, stride = row[block], joint.stride[block]
        if begin == joint.top[block]:  # at the root there is one group, 0
            continue
        for place in range(count):
            words[place] += np.uint64(group[begin + codes[block, place]]) * stride


@kernel
def alike(joint: Joint, codes: JoinedCodes, row: Ints, one: int, other: int) -> bool:
    """Whether two places are in one group."""
    for block in range(len(row)):
        begin = row[block]
        if joint.group[begin + codes[block, one]] != joint.group[begin + codes[block, other]]:
            return False
    return True
