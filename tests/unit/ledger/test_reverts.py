"""Revert data in words."""

from __future__ import annotations

import eth_abi
import pytest
from web3 import Web3

from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.reverts import decode_revert, rejection_of
from backend.adapters.ledger.rpc import RpcError
from backend.errors import LedgerUnavailable


def _error(signature: str, *values: object) -> bytes:
    types = signature[signature.index("(") + 1 : -1]
    return bytes(Web3.keccak(text=signature)[:4]) + eth_abi.encode(types.split(",") if types else [], values)


def test_custom_error_decodes_to_its_name_and_values() -> None:
    found = decode_revert(_error("EpochNotCurrent(uint32,uint32)", 3, 4))
    assert (found.name, found.arguments) == ("EpochNotCurrent", (3, 4))


@pytest.mark.parametrize(
    "signature", ["SignatureInvalid(address)", "AccessManagerUnauthorizedAccount(address,uint64)"]
)
def test_error_of_any_contract_is_known(signature: str) -> None:
    values: tuple[object, ...] = ("0x" + "11" * 20,) if "uint64" not in signature else ("0x" + "11" * 20, 7)
    assert decode_revert(_error(signature, *values)).name == signature.split("(", maxsplit=1)[0]


def test_built_in_panic_decodes() -> None:
    assert decode_revert(_error("Panic(uint256)", 0x11)).arguments == (0x11,)


@pytest.mark.parametrize("data", [b"", b"\x01\x02", b"\xde\xad\xbe\xef" + bytes(32)])
def test_data_that_no_contract_declares_is_a_plain_revert(data: bytes) -> None:
    assert decode_revert(data).name == "Reverted"


def test_known_selector_with_garbage_behind_is_a_plain_revert() -> None:
    assert decode_revert(_error("EpochNotCurrent(uint32,uint32)", 3, 4)[:20]).name == "Reverted"


def test_node_that_reports_a_revert_without_data_is_a_refusal() -> None:
    assert isinstance(rejection_of(RpcError(3, "execution reverted", None)), LedgerRejected)


def test_node_that_failed_is_not_a_refusal() -> None:
    assert isinstance(rejection_of(RpcError(-32603, "internal error", None)), LedgerUnavailable)
