"""The Merkle tree of a payout: OpenZeppelin's standard tree, as ``MerkleProof.verify`` checks it.

A leaf is keccak256(keccak256(abi.encode(round, index, account, amount, salt))), an inner node keccak256 of
its two children in ascending order. Leaves lie sorted by hash, last to first, at the end of an array in which
node i has the children 2i + 1 and 2i + 2 (OpenZeppelin ``@openzeppelin/merkle-tree``, format "standard-v1"),
so that its root and proofs are those of that library for the same values.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_hash.auto import keccak

from backend.research.money.types import Payment, RoundId
from backend.types import Bytes32


def leaf_of(round_: RoundId, payment: Payment) -> Bytes32:
    """The leaf of a payment. Raises ValueError for what does not fit its type."""
    if len(payment.salt) != 32 or len(round_) != 32:
        raise ValueError("a salt and a round are 32 bytes")
    if not (0 <= payment.index < 2**256 and 0 <= payment.amount < 2**256):
        raise ValueError("an index and an amount are unsigned integers of 256 bits")
    account = bytes.fromhex(payment.account.removeprefix("0x"))
    if len(account) != 20:
        raise ValueError("an account is 20 bytes")
    words = (round_, payment.index.to_bytes(32), bytes(12) + account, payment.amount.to_bytes(32))
    return Bytes32(keccak(keccak(b"".join((*words, payment.salt)))))


class Tree:
    """Over the hashes of leaves; at least one, all different. Holds 64 bytes a leaf."""

    def __init__(self, leaves: Sequence[Bytes32]) -> None:
        if not leaves or len(set(leaves)) != len(leaves) or any(len(leaf) != 32 for leaf in leaves):
            raise ValueError("a tree has at least one leaf, and leaves are distinct hashes of 32 bytes")
        ordered = sorted(leaves)
        size = 2 * len(ordered) - 1
        self._nodes = [Bytes32(b"")] * size
        self._places = {}
        for position, leaf in enumerate(ordered):
            self._nodes[size - 1 - position] = leaf
            self._places[leaf] = size - 1 - position
        for place in range(size - 1 - len(ordered), -1, -1):
            self._nodes[place] = _above(self._nodes[2 * place + 1], self._nodes[2 * place + 2])

    @property
    def root(self) -> Bytes32:
        return self._nodes[0]

    def proof_of(self, leaf: Bytes32) -> tuple[Bytes32, ...]:
        """The siblings from the leaf up. Raises KeyError for a leaf that is not in the tree."""
        place, path = self._places[leaf], []
        while place > 0:
            path.append(self._nodes[place + 1 if place % 2 else place - 1])
            place = (place - 1) // 2
        return tuple(path)


def is_proved(leaf: Bytes32, proof: Sequence[Bytes32], root: Bytes32) -> bool:
    """Whether the path leads from the leaf to the root."""
    found = leaf
    for sibling in proof:
        found = _above(found, sibling)
    return found == root


def _above(one: bytes, other: bytes) -> Bytes32:
    return Bytes32(keccak(one + other if one < other else other + one))
