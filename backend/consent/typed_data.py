"""EIP-712 hashes of the signed messages, the typed data a wallet is given, and recovery of the signer.

The encoder is written for these types alone and is compared with eth_account's in the tests. Signatures are
65 bytes ``r || s || v``; only the canonical form is taken (EIP-2, low s), so that a signature has one form.
Contract wallets (ERC-1271) are asked by the ledger, not here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from eth_hash.auto import keccak
from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.exceptions import BadSignature
from eth_keys.main import KeyAPI
from eth_utils.exceptions import ValidationError

from backend.consent.emergency_terms import EmergencyCommand
from backend.consent.errors import SignatureInvalid
from backend.consent.key_terms import KeyCommand
from backend.consent.member_terms import MemberCommand
from backend.consent.recovery_terms import RecoveryPolicy
from backend.consent.schema import (
    DOMAIN_MEMBERS,
    DOMAIN_TYPE,
    STRUCTS,
    dependencies,
    encode_type,
)
from backend.consent.terms import Command, ConsentTerms, DelegationTerms, Document
from backend.consent.terms_json import to_json
from backend.types import Address, Bytes32, ConsentId

NAME: Final = "Assent Consent"
RECOVERY_NAME: Final = "Assent Recovery"
EMERGENCY_NAME: Final = "Assent Emergency"
RECORDS_NAME: Final = "Assent Records"
AUDIT_NAME: Final = "Assent Audit"
RESEARCH_NAME: Final = "Assent Research"
KEYS_NAME: Final = "Assent Keys"
VERSION: Final = "1"
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # of secp256k1
_KEYS: Final = KeyAPI(CoinCurveECCBackend())  # pure Python recovery is sixty times slower

Signable = Command | EmergencyCommand | KeyCommand | MemberCommand


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature counts: one chain, one contract. ``name`` is that contract's, one of the above."""

    chain_id: int
    verifying_contract: Address
    name: str = NAME

    @property
    def separator(self) -> Bytes32:
        """Return the domain separator (EIP-712)."""
        return _separator(self.chain_id, self.verifying_contract, self.name)


def struct_hash(message: Signable | ConsentTerms | DelegationTerms | RecoveryPolicy) -> Bytes32:
    """Return ``hashStruct(message)``: for terms, the hash that the contract gets."""
    return Bytes32(_encoder(type(message).__name__)(message))


def consent_id(document: Document) -> ConsentId:
    """Return the id of a grant or a delegation, which is its struct hash."""
    return ConsentId(struct_hash(document))


def digest(message: Signable, domain: Domain) -> Bytes32:
    """Return the 32 bytes that are signed."""
    return Bytes32(keccak(b"\x19\x01" + domain.separator + struct_hash(message)))


def typed_data(message: Signable, domain: Domain) -> dict[str, Any]:
    """Return what ``eth_signTypedData_v4`` takes; integers too wide for JavaScript are strings."""
    name = type(message).__name__
    types = {
        struct: [{"name": member.name, "type": member.type} for member in STRUCTS[struct]]
        for struct in (name, *sorted(dependencies(name)))
    }
    types["EIP712Domain"] = [{"name": member.name, "type": member.type} for member in DOMAIN_MEMBERS]
    return {
        "types": types,
        "primaryType": name,
        "domain": {
            "name": domain.name,
            "version": VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
        "message": to_json(message),
    }


def recover(message_digest: bytes, signature: bytes) -> Address:
    """Return the account that signed. Raise SignatureInvalid for anything but a canonical signature."""
    if len(signature) != 65:
        raise SignatureInvalid("A signature has 65 bytes.", field="signature")
    recovery = signature[64] - 27 if signature[64] in (27, 28) else signature[64]
    if recovery not in (0, 1):
        raise SignatureInvalid("The last byte is 0, 1, 27 or 28.", field="signature")
    if int.from_bytes(signature[32:64]) > _HALF_ORDER:
        raise SignatureInvalid("The signature has a high s.", field="signature")
    try:
        key = _KEYS.Signature(signature[:64] + bytes([recovery])).recover_public_key_from_msg_hash(
            message_digest
        )
    except (BadSignature, ValidationError) as error:
        raise SignatureInvalid("No account signed this.", field="signature") from error
    return Address(key.to_checksum_address())


@cache
def _separator(chain_id: int, contract: Address, name: str) -> Bytes32:
    words = (keccak(DOMAIN_TYPE.encode()), keccak(name.encode()), keccak(VERSION.encode()))
    return Bytes32(keccak(b"".join(words) + chain_id.to_bytes(32) + _address(contract)))


@cache
def _encoder(name: str) -> Callable[[Any], bytes]:
    """Return the function that gives ``hashStruct`` of a value of the struct ``name``."""
    head = keccak(encode_type(name).encode())
    parts = tuple((member.attribute, _member(member.type)) for member in STRUCTS[name])

    def hash_struct(value: Any) -> bytes:
        words = [encode(getattr(value, attribute)) for attribute, encode in parts]
        return keccak(head + b"".join(words))

    return hash_struct


def _member(kind: str) -> Callable[[Any], bytes]:
    """Return the function that gives ``encodeData`` of one member: one word of 32 bytes."""
    if kind.endswith("[]"):
        item = _member(kind.removesuffix("[]"))
        return lambda values: keccak(b"".join([item(value) for value in values]))
    if kind in STRUCTS:
        return _encoder(kind)
    if kind.startswith("uint"):
        limit = 1 << int(kind.removeprefix("uint"))
        return lambda value: _unsigned(value, limit)
    return _PLAIN[kind]


def _unsigned(value: int, limit: int) -> bytes:
    if not 0 <= value < limit:
        raise ValueError("integer does not fit its type")
    return value.to_bytes(32)


def _boolean(value: bool) -> bytes:
    return int(value).to_bytes(32)


def _word(value: bytes) -> bytes:
    if len(value) != 32:
        raise ValueError("not 32 bytes")
    return value


def _string(value: str) -> bytes:
    return keccak(value.encode())


def _address(value: str) -> bytes:
    return bytes(12) + bytes.fromhex(value.removeprefix("0x"))


_PLAIN: Final[dict[str, Callable[[Any], bytes]]] = {
    "bool": _boolean,
    "bytes32": _word,
    "string": _string,
    "address": _address,
}
