"""A Besu network with QBFT: block 0, who its nodes talk to, and which accounts may send.

Written after Besu's documents of private networks. Besu cannot be run in this project's tests; the extra data
of block 0 is held against the example that Besu publishes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import rlp
from eth_keys.datatypes import PublicKey

PORT: Final = 30303
GAS_LIMIT: Final = 60_000_000  # a contract of ours may take 16 million
_VANITY: Final = bytes(32)
_EPOCH_BLOCKS: Final = 30_000
_ROUND_SECONDS: Final = 4
# What marks a block of this family of consensus, as EIP-650 gives it.
_MIX_HASH: Final = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"


@dataclass(frozen=True, slots=True)
class Validator:
    """``public_key``: 64 bytes, hex, of the key that its peers know it by and that it seals with.

    ``host``: an address, not a name.
    """

    public_key: str
    host: str

    @property
    def enode(self) -> str:
        return f"enode://{self.public_key}@{self.host}:{PORT}"

    @property
    def account(self) -> str:
        return str(PublicKey(bytes.fromhex(self.public_key)).to_address())


def genesis(validators: Sequence[Validator], chain_id: int, *, period_seconds: int = 1) -> dict[str, Any]:
    """Return block 0 of a network without a price of gas. All nodes have to have the same."""
    return {
        "config": {
            "chainId": chain_id,
            "berlinBlock": 0,
            "londonBlock": 0,
            "zeroBaseFee": True,
            "qbft": {
                "blockperiodseconds": period_seconds,
                "epochlength": _EPOCH_BLOCKS,
                "requesttimeoutseconds": _ROUND_SECONDS,
            },
        },
        "nonce": "0x0",
        "timestamp": "0x0",
        "gasLimit": hex(GAS_LIMIT),
        "difficulty": "0x1",
        "mixHash": _MIX_HASH,
        "coinbase": "0x" + "00" * 20,
        "alloc": {},
        "extraData": extra_data(sorted(validator.account for validator in validators)),
    }


def extra_data(accounts: Sequence[str]) -> str:
    """Return the RLP of vanity, validators, no vote, round 0 and no seals."""
    addresses = [bytes.fromhex(account.removeprefix("0x")) for account in accounts]
    return "0x" + bytes(rlp.encode([_VANITY, addresses, [], 0, []])).hex()


def permissions(validators: Sequence[Validator], accounts: Sequence[str]) -> str:
    """Return the file of the allowlists: nodes that are talked to, accounts that may send."""
    nodes = [validator.enode for validator in validators]
    return f"nodes-allowlist={json.dumps(nodes)}\naccounts-allowlist={json.dumps(sorted(accounts))}\n"


def static_nodes(validators: Sequence[Validator]) -> str:
    return json.dumps([validator.enode for validator in validators], indent=2) + "\n"
