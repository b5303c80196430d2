"""Trees of payments, written from the interface's words: leaves hashed twice, pairs sorted."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi import encode
from eth_utils.crypto import keccak


@dataclass(frozen=True)
class Payment:
    index: int
    account: str
    amount: int
    salt: bytes

    def leaf(self, round_: bytes) -> bytes:
        kinds = ["bytes32", "uint256", "address", "uint256", "bytes32"]
        return keccak(keccak(encode(kinds, [round_, self.index, self.account, self.amount, self.salt])))

    def item(self) -> tuple:
        return (self.index, self.account, self.amount, self.salt)


def _above(level: list[bytes]) -> list[bytes]:
    pairs = [sorted(level[at : at + 2]) for at in range(0, len(level), 2)]
    return [keccak(b"".join(pair)) if len(pair) == 2 else pair[0] for pair in pairs]


def root(round_: bytes, payments: list[Payment]) -> bytes:
    level = [payment.leaf(round_) for payment in payments]
    while len(level) > 1:
        level = _above(level)
    return level[0]


def proof(round_: bytes, payments: list[Payment], position: int) -> list[bytes]:
    level, path = [payment.leaf(round_) for payment in payments], []
    while len(level) > 1:
        if position ^ 1 < len(level):
            path.append(level[position ^ 1])
        level, position = _above(level), position // 2
    return path
