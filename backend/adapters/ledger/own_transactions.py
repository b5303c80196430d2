"""Transactions that somebody else signs and we put on the chain: those that were drafted, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import rlp
from eth_account import Account
from web3 import Web3

from backend.adapters.ledger.calls import Call
from backend.adapters.ledger.chain import SignedTransaction
from backend.research.money.errors import FundingTransactionsInvalid
from backend.research.money.types import UnsignedTransaction
from backend.types import Address, Bytes32

MAX_BYTES: Final = 4_096
_MEMBERS: Final = 9  # nonce, gas price, gas, to, value, data, v, r, s
_SIGNED_FOR_CHAIN: Final = 35  # v = 35 + 2 chain id + parity (EIP-155)


def unsigned(call: Call, *, nonce: int, gas_price: int, chain_id: int) -> UnsignedTransaction:
    """A legacy transaction (EIP-155), which every wallet and chain takes."""
    if call.to is None:
        raise ValueError("this makes a contract")
    return UnsignedTransaction(call.to, call.data, nonce, call.gas, gas_price, chain_id)


def check_signed(raws: Sequence[bytes], calls: Sequence[Call], *, signer: Address, chain_id: int) -> None:
    """Raise FundingTransactionsInvalid unless these are the calls, in order, signed by this account for this
    chain, with one nonce after another and nothing that the draft does not have."""
    if len(raws) != len(calls):
        raise FundingTransactionsInvalid(field="transactions")
    before = None
    for raw, call in zip(raws, calls, strict=True):
        nonce, gas, to, value, data, v = _members(raw)
        if (
            (to, data, value) != (_account(call.to), call.data, 0)
            or gas > call.gas
            or (v - _SIGNED_FOR_CHAIN) // 2 != chain_id
            or _signer(raw) != signer.lower()
            or (before is not None and nonce != before + 1)
        ):
            raise FundingTransactionsInvalid(field="transactions")
        before = nonce


def signed(raw: bytes) -> SignedTransaction:
    """Raises FundingTransactionsInvalid."""
    return SignedTransaction(raw, Address(Web3.to_checksum_address(_signer(raw))), Bytes32(Web3.keccak(raw)))


def _members(raw: bytes) -> tuple[int, int, bytes, int, bytes, int]:
    """Return nonce, gas, receiver, value, data and v."""
    if len(raw) > MAX_BYTES:
        raise FundingTransactionsInvalid(field="transactions")
    try:
        found = rlp.decode(raw)
    except (rlp.exceptions.DecodingError, TypeError) as fault:
        raise FundingTransactionsInvalid(field="transactions") from fault
    if len(found) != _MEMBERS or not all(isinstance(each, bytes) for each in found):
        raise FundingTransactionsInvalid(field="transactions")
    nonce, _, gas, to, value, data, v, _, _ = found
    return (
        int.from_bytes(nonce), int.from_bytes(gas), to, int.from_bytes(value), data, int.from_bytes(v),
    )  # fmt: skip


def _signer(raw: bytes) -> str:
    try:
        return str(Account.recover_transaction(raw)).lower()
    except Exception as fault:  # it raises whatever its parts do
        raise FundingTransactionsInvalid(field="transactions") from fault


def _account(address: Address | None) -> bytes:
    return b"" if address is None else bytes.fromhex(address[2:])
