"""Commands as wallets sign them, from full EIP-712 typed data written from the interfaces' words."""

from __future__ import annotations

import re
from typing import Any

from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from backend.types import Address, Bytes32

_DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


def _fields(kind: str) -> list[dict[str, str]]:
    inner = re.fullmatch(r"\w+\((.*)\)", kind)
    assert inner is not None
    return [dict(zip(("type", "name"), part.split(), strict=True)) for part in inner[1].split(",")]


def _message(kind: str, content: dict[str, Any], name: str, chain_id: int, contract: Address) -> Any:
    return encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": _fields(_DOMAIN),
                kind.split("(", maxsplit=1)[0]: _fields(kind),
            },
            "primaryType": kind.split("(", maxsplit=1)[0],
            "domain": {
                "name": name,
                "version": "1",
                "chainId": chain_id,
                "verifyingContract": contract,
            },
            "message": content,
        }
    )


def struct_hash(kind: str, content: dict[str, Any]) -> Bytes32:
    """Return hashStruct of a command whose type is ``kind``, written as EIP-712 writes it."""
    return Bytes32(bytes(_message(kind, content, "", 0, Address("0x" + "00" * 20)).body))


def digest(kind: str, content: dict[str, Any], *, name: str, chain_id: int, contract: Address) -> bytes:
    """Return what is signed."""
    made = _message(kind, content, name, chain_id, contract)
    return bytes(keccak(b"\x19" + made.version + made.header + made.body))
