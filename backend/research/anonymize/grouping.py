"""Numbering equal keys with a hash table that grows, so that few groups among many rows stay in the cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.jit import kernel

Words = NDArray[np.uint64]
Ids = NDArray[np.int32]

WORD_BITS = 64
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Fibonacci hashing (Knuth, TAOCP 3)


@kernel
def mixed(word: np.uint64) -> np.uint64:
    """A hash of a word (the finaliser of splitmix64, Steele, Lea, Flood 2014)."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@kernel
def slot_of(word: np.uint64, shift: np.uint64) -> np.int64:
    """The place of a word in a table of 2^(64 - shift) places."""
    folded = word ^ (word >> np.uint64(32))
    return np.int64((folded * _MULTIPLIER) >> shift)


@kernel
def number(words: Words) -> tuple[Ids, Ids]:
    """Number equal words from 0 in the order first seen; return (number of each, first place of each)."""
    bits = 10
    size = 1 << bits
    shift = np.uint64(WORD_BITS - bits)
    held = np.empty(size, dtype=np.uint64)
    owner = np.full(size, -1, dtype=np.int32)
    ids = np.empty(len(words), dtype=np.int32)
    first = np.empty(max(len(words), 1), dtype=np.int32)
    count = 0
    for place in range(len(words)):
        word = words[place]
        slot = slot_of(word, shift)
        while owner[slot] >= 0 and held[slot] != word:
            slot = (slot + 1) & (size - 1)
        if owner[slot] >= 0:
            ids[place] = owner[slot]
            continue
        held[slot] = word
        owner[slot] = count
        ids[place] = count
        first[count] = place
        count += 1
        if 2 * count > size:
            bits += 2
            size = 1 << bits
            shift = np.uint64(WORD_BITS - bits)
            held = np.empty(size, dtype=np.uint64)
            owner = np.full(size, -1, dtype=np.int32)
            for group in range(count):
                again = words[first[group]]
                slot = slot_of(again, shift)
                while owner[slot] >= 0:
                    slot = (slot + 1) & (size - 1)
                held[slot] = again
                owner[slot] = group
    return ids, first[:count].copy()


def radix_blocks(sizes: Sequence[int], bits: int = WORD_BITS) -> list[list[int]]:
    """Split columns, in order, into blocks whose mixed-radix keys fit ``bits`` bits each."""
    blocks: list[list[int]] = []
    product = 1
    for place, size in enumerate(sizes):
        if not blocks or product * max(size, 1) > 1 << bits:
            blocks.append([])
            product = 1
        blocks[-1].append(place)
        product *= max(size, 1)
    return blocks


def number_rows(columns: Sequence[NDArray[np.integer]], sizes: Sequence[int]) -> tuple[Ids, Ids]:
    """Number equal rows of codes below ``sizes`` (each below 2^32), however wide; return as ``number``.

    Each block of columns after the first is keyed together with the number that its row has so far, which
    takes 32 bits at most.
    """
    remaining = list(range(len(columns)))
    ids: Ids | None = None
    first = np.zeros(0, dtype=np.int32)
    while remaining:
        block = radix_blocks([sizes[place] for place in remaining], 32 if ids is not None else WORD_BITS)[0]
        words = np.zeros(len(columns[0]), dtype=np.uint64) if ids is None else ids.astype(np.uint64)
        for place in block:
            column = remaining[place]
            words *= np.uint64(max(sizes[column], 1))
            words += columns[column].astype(np.uint64)
        ids, first = number(words)
        remaining = remaining[len(block) :]
    if ids is None:
        raise ValueError("no columns")
    return ids, first
