"""The nodes of a network whose keys are on this machine: all of a test network, one of an organisation's."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from eth_account import Account

from backend.adapters.ledger.chain import parse_block, price_above
from backend.adapters.ledger.rpc import Rpc
from backend.adapters.process import free_port
from scripts.testnet import keys
from scripts.testnet.description import (
    GAS_PRICE_WEI,
    PLAIN_APIS,
    VALIDATOR_APIS,
    DescriptionInvalid,
    Network,
    Node,
    read,
    write,
)
from scripts.testnet.node import GethNode

TREASURY: Final = "treasury.key"
_HERE: Final = "127.0.0.1"
_TRANSFER_GAS: Final = 21_000
_FUND_SECONDS: Final = 60.0


def folder_of(shared: Path, name: str) -> Path:
    return shared / "nodes" / name


def draw_node(shared: Path, name: str, *, validator: bool, host: str = _HERE, port: int = 0) -> Node:
    """Draw the keys of a node below ``shared`` and return its public half. What was drawn before stays."""
    folder = folder_of(shared, name)
    return Node(
        name=name,
        public_key=keys.draw_node_key(folder),
        host=host,
        port=port or free_port(),
        rpc_host=_HERE,
        rpc_port=free_port(),
        account=keys.draw_account(folder) if validator else None,
        apis=VALIDATOR_APIS if validator else PLAIN_APIS,
    )


def new_network(
    shared: Path,
    *,
    validators: int = 4,
    plain: int = 2,
    period_seconds: int = 1,
    chain_id: int | None = None,
    prefunded: Sequence[str] = (),
    more_apis: Sequence[str] = (),
) -> Network:
    """Describe a network that runs on this machine alone, draw its keys, and return it.

    ``more_apis``: what the RPC of each node offers beyond reading, for tests.
    """
    shared.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(shared.iterdir()):
        raise DescriptionInvalid(f"{shared} is not empty.")
    nodes = [draw_node(shared, f"validator-{number + 1}", validator=True) for number in range(validators)]
    nodes += [draw_node(shared, f"plain-{number + 1}", validator=False) for number in range(plain)]
    network = Network(
        # Below 2**53, which wallets in JavaScript hold exactly, and far above the ids of public chains.
        chain_id=chain_id or 2**40 + secrets.randbits(48),
        made_at=int(time.time()),
        period_seconds=period_seconds,
        nodes=tuple(replace(node, apis=(*node.apis, *more_apis)) for node in nodes),
        prefunded=(keys.draw_key(shared / TREASURY), *prefunded),
        allowed=(f"{_HERE}/32",),
    )
    write(shared, network)
    return network


class LocalNodes:
    """Start and stop what this machine has the keys of. ``only``: names; all where it is empty."""

    def __init__(self, binary: Path, shared: Path, *, only: Iterable[str] = ()) -> None:
        self.network = read(shared)
        self._shared = shared
        wanted = list(only) or [
            node.name
            for node in self.network.nodes
            if (folder_of(shared, node.name) / keys.NODE_KEY).exists()
        ]
        self.nodes = {
            name: GethNode(binary, shared, folder_of(shared, name), self.network, self.network.node(name))
            for name in wanted
        }

    def start(self) -> None:
        """Start all that do not run, together. Raises NodeFailed, and stops what it started."""
        try:
            waiting = [node for node in self.nodes.values() if node.pid is None]
            for node in waiting:
                node.launch()
            for node in waiting:
                node.await_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for node in self.nodes.values():
            node.stop()


def gas_price(rpc: Rpc) -> int:
    """Return what a transaction sent now is to pay for gas, in wei. Raises RpcError, LedgerUnavailable."""
    newest = parse_block(rpc.call("eth_getBlockByNumber", "latest", False))
    return price_above(newest.base_fee, least=GAS_PRICE_WEI)


def fund(shared: Path, rpc: Rpc, network: Network, accounts: Sequence[str], *, wei: int) -> None:
    """Send each account gas money from the treasury and wait for it. Raises RpcError, LedgerUnavailable,
    TimeoutError."""
    treasury = Account.from_key((shared / TREASURY).read_text(encoding="ascii"))
    nonce = int(rpc.call("eth_getTransactionCount", treasury.address, "pending"), 16)
    price = gas_price(rpc)
    sent = []
    for position, account in enumerate(accounts):
        signed = treasury.sign_transaction(
            {
                "to": account, "value": wei, "gas": _TRANSFER_GAS, "gasPrice": price,
                "nonce": nonce + position, "chainId": network.chain_id,
            }
        )  # fmt: skip
        sent.append(rpc.call("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex()))
    deadline = time.monotonic() + _FUND_SECONDS
    while not all(rpc.call("eth_getTransactionReceipt", each) for each in sent):
        if time.monotonic() > deadline:
            raise TimeoutError("The network did not include the transfers.")
        time.sleep(0.2)
