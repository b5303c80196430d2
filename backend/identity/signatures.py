"""Signatures of accounts over EIP-191 personal messages."""

from __future__ import annotations

from typing import Final

from eth_hash.auto import keccak
from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.exceptions import BadSignature
from eth_keys.main import KeyAPI
from eth_utils.exceptions import ValidationError

from backend.identity.ports import ContractWallets
from backend.types import Address, Bytes32

MAX_SIGNATURE_BYTES: Final = 4096  # of a contract wallet with many owners
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # of secp256k1
_KEYS: Final = KeyAPI(CoinCurveECCBackend())  # recovery in pure Python is sixty times slower


def personal_digest(message: str) -> Bytes32:
    """Return what ``personal_sign`` signs: EIP-191, version 0x45."""
    text = message.encode()
    return Bytes32(keccak(b"\x19Ethereum Signed Message:\n" + str(len(text)).encode() + text))


def recover(digest: bytes, signature: bytes) -> Address | None:
    """Return the account that signed; None unless ``signature`` is ``r || s || v`` with low s (EIP-2)."""
    if len(signature) != 65 or int.from_bytes(signature[32:64]) > _HALF_ORDER:
        return None
    recovery = signature[64] - 27 if signature[64] in (27, 28) else signature[64]
    if recovery not in (0, 1):
        return None
    try:
        parsed = _KEYS.Signature(signature[:64] + bytes([recovery]))
        return Address(parsed.recover_public_key_from_msg_hash(digest).to_checksum_address())
    except (BadSignature, ValidationError):
        return None


def is_signed_by(account: Address, digest: bytes, signature: bytes, *, contracts: ContractWallets) -> bool:
    """True if ``account`` signed: by its key, or as a contract wallet by ERC-1271.

    Raises LedgerUnavailable when a contract would have to be asked and the chain does not answer.
    """
    if not 0 < len(signature) <= MAX_SIGNATURE_BYTES:
        return False
    if recover(digest, signature) == account:
        return True
    return contracts.is_valid(account, digest, signature)
