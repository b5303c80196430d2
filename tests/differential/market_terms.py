"""The market's terms, its ids and its tree of payments, as IResearchMarket's NatSpec words them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from eth_utils.crypto import keccak

from tests.differential.documents import words


@dataclass(frozen=True)
class Terms:
    board_threshold: int
    objection_seconds: int
    settlement_seconds: int
    claim_seconds: int
    grace_seconds: int


@dataclass(frozen=True)
class Escrow:
    study: bytes
    custodian: bytes
    funder: str
    token: str

    @cached_property
    def id(self) -> bytes:
        return bytes(keccak(words(*self.members())))

    def members(self) -> tuple[bytes, bytes, str, str]:
        return self.study, self.custodian, self.funder, self.token

    def round_of(self, result: bytes) -> bytes:
        return bytes(keccak(words(self.id, result)))


@dataclass(frozen=True)
class Payment:
    index: int
    account: str
    amount: int
    salt: bytes

    def members(self) -> tuple[int, str, int, bytes]:
        return self.index, self.account, self.amount, self.salt

    def leaf(self, round_: bytes) -> bytes:
        return bytes(keccak(keccak(words(round_, *self.members()))))


def _levels(round_: bytes, payments: tuple[Payment, ...]) -> list[list[bytes]]:
    levels = [[payment.leaf(round_) for payment in payments]]
    while len(levels[-1]) > 1:
        level = levels[-1]
        pairs = [sorted(level[at : at + 2]) for at in range(0, len(level), 2)]
        levels.append([bytes(keccak(b"".join(pair))) if len(pair) == 2 else pair[0] for pair in pairs])
    return levels


def merkle_root(round_: bytes, payments: tuple[Payment, ...]) -> bytes:
    return _levels(round_, payments)[-1][0]


def merkle_proof(round_: bytes, payments: tuple[Payment, ...], position: int) -> list[bytes]:
    """The siblings from the leaf up."""
    proof = []
    for level in _levels(round_, payments)[:-1]:
        sibling = position ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        position //= 2
    return proof


def proves(leaf: bytes, proof: tuple[bytes, ...], root: bytes) -> bool:
    for sibling in proof:
        leaf = bytes(keccak(b"".join(sorted((leaf, sibling)))))
    return leaf == root
