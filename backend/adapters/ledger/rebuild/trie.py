"""The root of a contract's storage (Ethereum Yellow Paper, appendix D): all its words in one hash.

A node gives the same root with an account (EIP-1186). Equal roots mean equal storage, word for word, with
nothing besides: this is what makes a comparison complete although a mapping cannot be listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import rlp
from eth_utils.crypto import keccak

_rlp = partial(rlp.encode, infer_serializer=False)  # all is bytes here
EMPTY_ROOT: Final = keccak(_rlp(b""))
_Leaf = tuple[str, bytes]  # the hashed key in hex, a digit a nibble; the value


def storage_root(words: Iterable[tuple[int, int]]) -> bytes:
    """Return the root over (slot, value); empty words are no part of it."""
    stored = ((slot, value.to_bytes((value.bit_length() + 7) // 8)) for slot, value in words if value)
    return secure_root((slot.to_bytes(32), _rlp(value)) for slot, value in stored)


def secure_root(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the root of a trie whose keys, each given once, are hashed first."""
    leaves = sorted((keccak(key).hex(), value) for key, value in items)
    return keccak(_rlp(_node(leaves, 0))) if leaves else EMPTY_ROOT


def _node(leaves: Sequence[_Leaf], depth: int) -> list[Any]:
    """Return the node over leaves that agree in their first ``depth`` nibbles."""
    first, last = leaves[0][0], leaves[-1][0]
    if len(leaves) == 1:
        return [_compact(first[depth:], is_leaf=True), leaves[0][1]]
    common = depth
    while first[common] == last[common]:
        common += 1
    if common > depth:
        return [_compact(first[depth:common], is_leaf=False), _reference(_node(leaves, common))]
    branch: list[Any] = [b""] * 17  # keys have one length, so none ends at a branch
    start = 0
    while start < len(leaves):
        nibble = leaves[start][0][depth]
        end = start
        while end < len(leaves) and leaves[end][0][depth] == nibble:
            end += 1
        branch[int(nibble, 16)] = _reference(_node(leaves[start:end], depth + 1))
        start = end
    return branch


def _reference(node: list[Any]) -> Any:
    """Short nodes lie in their parent; others are named by hash."""
    encoded = _rlp(node)
    return node if len(encoded) < 32 else keccak(encoded)


def _compact(nibbles: str, *, is_leaf: bool) -> bytes:
    """Return hex-prefix encoding (appendix C)."""
    flag = 2 * is_leaf
    return bytes.fromhex(f"{flag + 1}{nibbles}" if len(nibbles) % 2 else f"{flag}0{nibbles}")
