"""Consent on paper: two witnesses sign for a patient without a wallet, under a delegation of its own kind.

Its relationship is ``WITNESSED``, its evidence the SHA-256 of the scanned paper, its delegate the account of
the two together (``contracts/interfaces/IWitnessPairs.sol``). See docs/decisions/0014-witnessed-paper.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from backend.consent.errors import InvalidTerms, SignatureInvalid
from backend.consent.terms import ZERO32, Delegation, Power
from backend.consent.typed_data import recover
from backend.types import Address, Bytes32

RELATIONSHIP: Final = "WITNESSED"
MAX_SECONDS: Final = 366 * 24 * 3600  # twelve months, whichever they are
SIGNATURE_BYTES: Final = 65
_POWERS: Final = Power.GRANT | Power.REVOKE


@dataclass(frozen=True, slots=True)
class Pair:
    """Two witnesses' accounts in the order in which they sign, and the salt drawn for their paper."""

    first: Address
    second: Address
    salt: Bytes32

    def signed(self, digest: bytes, signature: bytes) -> bool:
        """Whether both signed: what the pair's contract answers, without a chain."""
        if self.first.lower() == self.second.lower() or len(signature) != 2 * SIGNATURE_BYTES:
            return False
        halves = (signature[:SIGNATURE_BYTES], signature[SIGNATURE_BYTES:])
        if any(half[64] not in (27, 28) for half in halves):  # the contract knows no other spelling
            return False
        try:
            found = [recover(digest, half).lower() for half in halves]
        except SignatureInvalid:
            return False
        return found == [self.first.lower(), self.second.lower()]

    def address(self, factory: Address, creation: bytes) -> Address:
        """Return the pair's account (EIP-1014). ``creation``: WitnessPair's code, before its accounts."""
        arguments = b"".join(bytes(12) + _bytes(account) for account in (self.first, self.second))
        made = keccak(b"\xff" + _bytes(factory) + self.salt + keccak(creation + arguments))
        return Address(to_checksum_address(made[12:]))


def is_witnessed(delegation: Delegation) -> bool:
    return delegation.terms.relationship == RELATIONSHIP


def check_witnessed(delegation: Delegation, path: str = "") -> None:
    """Raise InvalidTerms where a witnessed delegation says more than a paper may. Others pass."""
    if not is_witnessed(delegation):
        return
    if delegation.terms.evidence == ZERO32:
        raise InvalidTerms("The hash of the scanned paper is missing.", field=path + "terms.evidence")
    if delegation.not_after - delegation.not_before > MAX_SECONDS:
        raise InvalidTerms("A paper counts for twelve months at most.", field=path + "notAfter")
    if delegation.powers & ~_POWERS:
        raise InvalidTerms("Witnesses grant and revoke, nothing else.", field=path + "powers")
    if delegation.depth:
        raise InvalidTerms("What a paper gives is not passed on.", field=path + "depth")


def _bytes(account: Address) -> bytes:
    return bytes.fromhex(account[2:])
