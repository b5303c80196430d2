"""What people sign, as the interfaces' NatSpec words it, and the EIP-712 hashes of it.

Terms are drawn at random as their hash: the contracts never see more of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from eth_utils.crypto import keccak

from backend.consent.schema import DOMAIN_TYPE, encode_type

PERMIT, DENY, DELEGATION, GUARDIANSHIP, REFUSAL = 1, 2, 3, 4, 5
GRANT, REVOKE, READ, DELEGATE = 1, 2, 4, 8
FOREVER = 2**40 - 1
ZERO = bytes(32)
NOBODY = "0x" + "00" * 20


def word(value: int | bool | bytes | str) -> bytes:
    """Return the 32 bytes of an integer, a bytes32 or an account ("0x...")."""
    if isinstance(value, bytes):
        assert len(value) == 32
        return value
    return (int(value, 16) if isinstance(value, str) else int(value)).to_bytes(32)


def words(*values: int | bool | bytes | str) -> bytes:
    return b"".join(map(word, values))


@cache
def _type_hash(text: str) -> bytes:
    return bytes(keccak(text=text))


def struct_hash(kind: str, *members: int | bytes | str) -> bytes:
    """Return hashStruct. ``kind`` is a consent command's name, or another type written out in full."""
    return bytes(keccak(_type_hash(kind if "(" in kind else encode_type(kind)) + words(*members)))


@dataclass(frozen=True)
class Domain:
    name: str
    chain_id: int
    contract: str

    def digest(self, hashed: bytes) -> bytes:
        return bytes(keccak(b"\x19\x01" + self._separator + hashed))

    @cached_property
    def _separator(self) -> bytes:
        names = keccak(text=DOMAIN_TYPE), keccak(text=self.name), keccak(text="1")
        return bytes(keccak(b"".join(names) + words(self.chain_id, self.contract)))


@dataclass(frozen=True)
class Grant:
    subject: int
    terms: bytes
    not_before: int
    not_after: int
    kind: int
    epoch: int = 0
    request: bytes = ZERO
    supersedes: bytes = ZERO
    submit_by: int = FOREVER

    def header(self) -> tuple[Any, ...]:
        """Return the fields in the order of the interface's GrantHeader."""
        window = (self.not_before, self.not_after)
        after = (self.kind, self.epoch, self.request, self.supersedes, self.submit_by)
        return (self.subject, self.terms, *window, *after)

    @cached_property
    def id(self) -> bytes:
        return struct_hash("Grant", *self.header())


@dataclass(frozen=True)
class Delegation:
    subject: int
    delegate: str
    powers: int
    not_before: int
    not_after: int
    kind: int
    depth: int
    epoch: int = 0
    parent: bytes = ZERO
    terms: bytes = ZERO
    submit_by: int = FOREVER

    def header(self) -> tuple[Any, ...]:
        """Return the fields in the order of the interface's DelegationHeader."""
        window = (self.not_before, self.not_after)
        after = (self.kind, self.depth, self.epoch, self.parent, self.terms, self.submit_by)
        return (self.subject, self.delegate, self.powers, *window, *after)

    @cached_property
    def id(self) -> bytes:
        return struct_hash("Delegation", *self.header())


@dataclass(frozen=True)
class RecoveryPolicy:
    guardianships: tuple[bytes, ...]
    threshold: int
    salt: bytes

    @cached_property
    def hash(self) -> bytes:
        listed = bytes(keccak(b"".join(self.guardianships)))
        return struct_hash("RecoveryPolicy", listed, self.threshold, self.salt)


@dataclass(frozen=True)
class InPerson:
    """Somebody agrees in their own name. ``way``: "sends", "signs" or "batch" (signs, and the item is one
    of a batch)."""

    account: str
    way: str
    flaw: str = ""

    @property
    def signer(self) -> str:
        """The account whose agreement this really is: nobody's if the signature is spoilt."""
        return NOBODY if self.flaw else self.account


@dataclass(frozen=True)
class Deputy:
    """A delegate agrees by the delegation ``chain[0]`` (leaf first). "signs" or "sends"."""

    account: str
    chain: tuple[Delegation, ...]
    way: str = "signs"
    flaw: str = ""

    @property
    def signer(self) -> str:
        return NOBODY if self.flaw else self.account
