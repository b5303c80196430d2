"""What strangers may ask the chain's node: a fixed list of reads, each with bounded work.

Wallets that add the chain (EIP-3085) ask these. What writes, unlocks, traces or steers the node is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from backend.api.json_rpc import INVALID_PARAMS, METHOD_NOT_FOUND, RpcFailure
from backend.consent.chain_node import ChainNode, NodeRefused

MAX_GAS: Final = 10_000_000  # of one call; the dearest view of our contracts takes a tenth
MAX_FEE_BLOCKS: Final = 1_024  # as go-ethereum has it
CLIENT: Final = "Assent"
_MAX_TEXT: Final = 300
_NODE_ERROR: Final = -32000
# The least and the most parameters. State overrides, which come after them, are not offered.
PARAMETERS: Final[Mapping[str, tuple[int, int]]] = {
    "eth_blockNumber": (0, 0),
    "eth_getBlockByNumber": (1, 2),
    "eth_getBlockByHash": (1, 2),
    "eth_call": (1, 2),
    "eth_estimateGas": (1, 2),
    "eth_gasPrice": (0, 0),
    "eth_maxPriorityFeePerGas": (0, 0),
    "eth_feeHistory": (2, 3),
    "eth_getBalance": (1, 2),
    "eth_getCode": (1, 2),
    "eth_getTransactionCount": (1, 2),
    "eth_getTransactionReceipt": (1, 1),
    "eth_getTransactionByHash": (1, 1),
    "eth_syncing": (0, 0),
}
# Answered here: the node would name its version, and accounts of its own.
CONSTANTS: Final[Mapping[str, Callable[[int], Any]]] = {
    "eth_chainId": hex,
    "net_version": str,
    "web3_clientVersion": lambda _: CLIENT,
    "eth_accounts": lambda _: [],
}
_NOT_OFFERED: Final = (
    "This address only reads the chain, and this method is not offered. Nobody needs gas here: what is "
    "signed goes to the service, consents to POST /v1/consents, revocations to POST /v1/revocations."
)


def read(method: str, params: Sequence[Any] | None, *, node: ChainNode, chain_id: int) -> Any:
    """Return the result. ``params`` is None where they were no list.

    Raises RpcFailure, also for the node's own errors, and LedgerUnavailable.
    """
    constant = CONSTANTS.get(method)
    if constant is not None:
        return constant(chain_id)
    if method not in PARAMETERS:
        raise RpcFailure(METHOD_NOT_FOUND, _NOT_OFFERED)
    least, most = PARAMETERS[method]
    if most == 0:
        params = []  # some wallets send an empty object or text all the same
    if params is None or not least <= len(params) <= most:
        raise RpcFailure(INVALID_PARAMS, f"The method takes {least} to {most} parameters in a list.")
    try:
        return node.ask(method, _bounded(method, list(params)))
    except NodeRefused as refusal:
        code = refusal.code or _NODE_ERROR
        raise RpcFailure(code, refusal.message[:_MAX_TEXT], refusal.data) from refusal


def _bounded(method: str, params: list[Any]) -> list[Any]:
    if method in ("eth_call", "eth_estimateGas"):
        call = params[0]
        if not isinstance(call, dict):
            raise RpcFailure(INVALID_PARAMS, "The first parameter is the call, an object.")
        asked = call.get("gas")
        gas = MAX_GAS if asked is None else min(_quantity(asked), MAX_GAS)
        return [{**call, "gas": hex(gas)}, *params[1:]]
    if method == "eth_feeHistory":
        return [hex(min(_quantity(params[0]), MAX_FEE_BLOCKS)), *params[1:]]
    return params


def _quantity(value: Any) -> int:
    """Read a number as the Ethereum JSON-RPC writes it, or a plain one, as some wallets do."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise RpcFailure(INVALID_PARAMS, "A quantity is hexadecimal with 0x.")
