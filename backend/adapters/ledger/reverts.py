"""Revert data in words: a contract's custom errors become LedgerRejected with their name and values."""

from __future__ import annotations

from functools import cache

from backend.adapters.ledger.abi import CONTRACTS, artifact, decode_or_none
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.rpc import RpcError
from backend.errors import LedgerUnavailable

_BUILT_IN = {
    bytes.fromhex("08c379a0"): ("Error", ("string",)),
    bytes.fromhex("4e487b71"): ("Panic", ("uint256",)),
}


@cache
def _errors() -> dict[bytes, tuple[str, tuple[str, ...]]]:
    found: dict[bytes, tuple[str, tuple[str, ...]]] = {**_BUILT_IN}
    for name in (*CONTRACTS, "TestToken"):
        found.update(artifact(name).errors)
    return found


def decode_revert(data: bytes) -> LedgerRejected:
    """Return the error this revert data stands for; ``Reverted`` where no contract of ours declares it."""
    name, types = _errors().get(data[:4], ("Reverted", ()))
    arguments = decode_or_none(types, data[4:])
    return LedgerRejected(name, arguments) if arguments is not None else LedgerRejected("Reverted")


def rejection_of(error: RpcError) -> LedgerRejected | LedgerUnavailable:
    """Tell a contract's refusal from a node that failed.

    Nodes word it differently; all give data or say revert.
    """
    if error.data is not None and error.data.startswith("0x"):
        return decode_revert(bytes.fromhex(error.data[2:]))
    if "revert" in error.message.lower():
        return LedgerRejected("Reverted")
    return LedgerUnavailable(f"The node could not run the call ({error.code}).")
