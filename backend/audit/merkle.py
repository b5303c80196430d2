"""Merkle tree hashing and proofs of RFC 6962 section 2 (the same tree as RFC 9162 section 2). Pure.

Hashes are SHA-256, 32 bytes. Leaves are numbered from 0; a size is a number of leaves. Proofs are lists of
hashes from the leaf towards the root. The verifying functions raise ``InvalidProof`` on everything that is
not exactly one valid proof: wrong types, lengths, ranges, missing and spare nodes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

from backend.audit.errors import InvalidProof

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

# (first, end) -> root of the leaves first .. end-1, as the recursion of RFC 6962 section 2.1 splits them
SubtreeRoot = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def row_above(hashes: bytes) -> bytes:
    """Return the packed hashes of the nodes over a packed row; an odd end is left out."""
    sha256, pair = hashlib.sha256, 2 * HASH_BYTES
    whole = len(hashes) // pair * pair
    return b"".join([sha256(b"\x01" + hashes[i : i + pair]).digest() for i in range(0, whole, pair)])


def split(count: int) -> int:
    """Return the largest power of two smaller than ``count`` (which is at least 2)."""
    return 1 << ((count - 1).bit_length() - 1)


class CompactRange:
    """Roots of the perfect subtrees, left to right, that cover the leaves so far: enough to go on appending.

    Memory is logarithmic in the size.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def copy(self) -> CompactRange:
        other = CompactRange()
        other.size = self.size
        other._peaks = self._peaks.copy()
        return other

    def append(self, leaf: bytes) -> None:
        """Add the hash of one leaf."""
        self.append_subtree(leaf, 0)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add the hashes of many leaves: a row at a time, which takes half as long as one by one."""
        place = 0
        while place < len(leaves):
            left = len(leaves) - place
            height = left.bit_length() - 1
            if self.size:  # a subtree begins where its own size divides the range's
                height = min(height, (self.size & -self.size).bit_length() - 1)
            row = b"".join(leaves[place : place + (1 << height)])
            while len(row) > HASH_BYTES:
                row = row_above(row)
            self.append_subtree(row, height)
            place += 1 << height

    def append_subtree(self, root: bytes, height: int) -> None:
        """Add 2**height leaves by the root of their tree. The size so far is a multiple of that number."""
        size, peak = self.size >> height, root
        while size & 1:
            peak = hashlib.sha256(b"\x01" + self._peaks.pop() + peak).digest()
            size >>= 1
        self._peaks.append(peak)
        self.size += 1 << height

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        result = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            result = node_hash(peak, result)
        return result


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of the leaves with these hashes."""
    compact = CompactRange()
    compact.extend(leaf_hashes)
    return compact.root()


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path of leaf ``index`` in the tree of these leaves. Raises InvalidProof out of range."""
    return inclusion_path(index, len(leaf_hashes), lambda first, end: root(leaf_hashes[first:end]))


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the tree of the first ``old_size`` leaves is a prefix of the tree of all.

    Raises InvalidProof unless 1 <= old_size <= the number of leaves: there is nothing to prove about 0.
    """
    return consistency_path(old_size, len(leaf_hashes), lambda first, end: root(leaf_hashes[first:end]))


def inclusion_path(index: int, size: int, subtree: SubtreeRoot) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962 section 2.1.1, over any store that gives roots of subtrees."""
    if not 0 <= index < size:
        raise InvalidProof("the leaf index is outside the tree")
    path: list[bytes] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + split(end - first)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(first, middle))
            first = middle
    path.reverse()
    return path


def consistency_path(old_size: int, size: int, subtree: SubtreeRoot) -> list[bytes]:
    """PROOF(m, D[n]) of RFC 6962 section 2.1.2, over any store that gives roots of subtrees."""
    if not 1 <= old_size <= size:
        raise InvalidProof("the old size is outside the tree")
    path: list[bytes] = []
    first, end = 0, size
    while old_size != end:
        middle = first + split(end - first)
        if old_size <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(first, middle))
            first = middle
    if first > 0:  # otherwise the old root itself is known to the verifier
        path.append(subtree(first, end))
    path.reverse()
    return path


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf is at ``index`` in the tree (RFC 9162 section 2.1.3.2). Raises InvalidProof."""
    _check_numbers(index, size)
    _check_hashes(leaf_hash, root, *_listed(proof))
    if index >= size:
        raise InvalidProof("the leaf index is outside the tree")
    if not hmac.compare_digest(_climb(index, size - 1, leaf_hash, proof)[1], root):
        raise InvalidProof("the proof gives another root")


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Check that the new tree extends the old one (RFC 9162 section 2.1.4.2). Raises InvalidProof.

    Equal sizes need equal roots and an empty proof. An old size of 0 proves nothing and is refused.
    """
    _check_numbers(old_size, new_size)
    nodes = _listed(proof)
    _check_hashes(old_root, new_root, *nodes)
    if not 1 <= old_size <= new_size:
        raise InvalidProof("the old size is not between 1 and the new size")
    if old_size == new_size:
        if nodes or not hmac.compare_digest(old_root, new_root):
            raise InvalidProof("trees of one size need equal roots and no proof")
        return
    if old_size & (old_size - 1) == 0:
        nodes.insert(0, old_root)
    if not nodes:
        raise InvalidProof("the proof is empty")
    old_result, new_result = prefix_roots(old_size, new_size, nodes)
    if not (hmac.compare_digest(old_result, old_root) and hmac.compare_digest(new_result, new_root)):
        raise InvalidProof("the proof gives other roots")


def prefix_roots(old_size: int, new_size: int, nodes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the roots at both sizes, old < new, that a consistency proof gives.

    Its first node is always written out, also where RFC 6962 leaves it to the verifier (the old root of a
    perfect tree). Raises InvalidProof.
    """
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    return _climb(node, last, nodes[0], nodes[1:])


def _climb(node: int, last: int, start: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Go up from node number ``node`` of a row whose last is ``last``, joining the proof's nodes.

    Return the roots of the tree that ends with the start node and of the whole tree.
    """
    old_result = new_result = start
    for sibling in proof:
        if last == 0:
            raise InvalidProof("the proof has spare nodes")
        if node & 1 or node == last:
            old_result = node_hash(sibling, old_result)
            new_result = node_hash(sibling, new_result)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            new_result = node_hash(new_result, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise InvalidProof("the proof is too short")
    return old_result, new_result


def _check_numbers(*numbers: object) -> None:
    for number in numbers:
        if type(number) is not int or not 0 <= number < 2**63:
            raise InvalidProof("sizes and indexes are integers from 0 to 2**63-1")


def _listed(proof: Sequence[bytes]) -> list[bytes]:
    if not isinstance(proof, (list, tuple)):
        raise InvalidProof("a proof is a list of hashes")
    return list(proof)


def _check_hashes(*hashes: object) -> None:
    for value in hashes:
        if not isinstance(value, bytes) or len(value) != HASH_BYTES:
            raise InvalidProof("a hash is 32 bytes")
