"""Asks accounts that are contracts whether a signature is theirs (ERC-1271)."""

from __future__ import annotations

from typing import Final

import eth_abi

from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.reverts import rejection_of
from backend.adapters.ledger.rpc import RpcError
from backend.types import Address

_SELECTOR = bytes.fromhex("1626ba7e")  # isValidSignature(bytes32,bytes), and the answer that means yes
WALLET_GAS: Final = 500_000  # the registry's own limit, contracts/libraries/Signatures.sol


def is_valid_signature(chain: Chain, account: Address, digest: bytes, signature: bytes) -> bool:
    """Return True if the contract at ``account`` accepts at the head; False if it refuses, reverts or
    is none.

    Raise LedgerUnavailable where the chain does not answer.
    """
    block = hex(chain.view().head_number)
    data = _SELECTOR + eth_abi.encode(("bytes32", "bytes"), (digest, signature))
    message = {"to": account, "data": "0x" + data.hex(), "gas": hex(WALLET_GAS + 21_000 + 16 * len(data))}
    try:
        found = chain.rpc().call("eth_call", message, block)
    except RpcError as error:
        refusal = rejection_of(error)
        if isinstance(refusal, LedgerRejected) or "gas" in error.message.lower():
            return False
        raise refusal from error
    return bytes.fromhex(found[2:]) == _SELECTOR.ljust(32, b"\0")  # an account without code answers nothing
