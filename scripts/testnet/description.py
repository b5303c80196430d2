"""A network as its members agree on it: one public file, the same for all, and the genesis that follows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from backend.adapters.durable import write_file

FILE: Final = "network.json"
GENESIS_FILE: Final = "genesis.json"
PLAIN_APIS: Final = ("eth", "net", "web3")
VALIDATOR_APIS: Final = (*PLAIN_APIS, "clique", "debug")  # votes and 'mend'; for its own machine alone
GAS_LIMIT: Final = 30_000_000  # a contract of ours may take 16 million
GAS_PRICE_WEI: Final = 1  # a price of 0 is taken by no other node's pool
PREFUNDED_WEI: Final = 10**27
_EPOCH: Final = 30_000
_FORKS: Final = (  # Clique seals up to London, and the contracts are compiled for nothing later
    "homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg",
    "istanbul", "berlin", "london",
)  # fmt: skip


class DescriptionInvalid(ValueError):
    """The description does not describe a network that could run."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``account`` seals blocks; None for a plain node. ``public_key``: 64 bytes, hex, of the key
    that its peers know it by. ``host`` and ``rpc_host`` are addresses, not names."""

    name: str
    public_key: str
    host: str
    port: int
    rpc_host: str
    rpc_port: int
    account: str | None = None
    apis: tuple[str, ...] = PLAIN_APIS

    @property
    def enode(self) -> str:
        return f"enode://{self.public_key}@{self.host}:{self.port}"

    @property
    def rpc_url(self) -> str:
        return f"http://{self.rpc_host}:{self.rpc_port}"

    @property
    def is_validator(self) -> bool:
        return self.account is not None


@dataclass(frozen=True, slots=True)
class Network:
    """``made_at``: unix seconds of block 0. ``prefunded``: accounts that pay for gas. ``allowed``: networks
    (CIDR) that a node talks to at all."""

    chain_id: int
    made_at: int
    period_seconds: int
    nodes: tuple[Node, ...]
    prefunded: tuple[str, ...]
    allowed: tuple[str, ...]
    gas_limit: int = GAS_LIMIT

    @property
    def validators(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.is_validator)

    @property
    def finality_blocks(self) -> int:
        """So many blocks on top of one need more than half of the signers, none of whom may sign two in a
        row: no honest majority builds another branch below them."""
        return len(self.validators) // 2 + 1

    def node(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise DescriptionInvalid(f"There is no node {name}.")

    def peers_of(self, node: Node) -> list[str]:
        return [other.enode for other in self.nodes if other.name != node.name]


def genesis(network: Network) -> dict[str, Any]:
    """Return block 0. Every node has to start from exactly the same."""
    signers = sorted(node.account.lower().removeprefix("0x") for node in network.nodes if node.account)
    return {
        "config": {
            "chainId": network.chain_id,
            **{f"{fork}Block": 0 for fork in _FORKS},
            "clique": {"period": network.period_seconds, "epoch": _EPOCH},
        },
        "timestamp": hex(network.made_at),
        "gasLimit": hex(network.gas_limit),
        "difficulty": "0x1",
        "baseFeePerGas": "0x0",
        "extraData": "0x" + "00" * 32 + "".join(signers) + "00" * 65,
        "alloc": {account: {"balance": hex(PREFUNDED_WEI)} for account in network.prefunded},
    }


def write(folder: Path, network: Network) -> None:
    """Keep the description and its genesis in a folder."""
    _check(network)
    for name, content in ((FILE, asdict(network)), (GENESIS_FILE, genesis(network))):
        write_file(folder / name, json.dumps(content, indent=2).encode() + b"\n")


def read(folder: Path) -> Network:
    """Raise DescriptionInvalid."""
    try:
        found = json.loads((folder / FILE).read_bytes())
        nodes = tuple(_node(each) for each in found.pop("nodes"))
        network = Network(nodes=nodes, **{name: _fixed(value) for name, value in found.items()})
    except FileNotFoundError as error:
        raise DescriptionInvalid(f"There is no {FILE} in {folder}. Make one with 'new'.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DescriptionInvalid(f"{folder / FILE} is not a description: {error}") from error
    _check(network)
    return network


def _node(found: Mapping[str, Any]) -> Node:
    return Node(**{name: _fixed(value) for name, value in found.items()})


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check(network: Network) -> None:
    _require_distinct("name", [node.name for node in network.nodes])
    _require_distinct("public key", [node.public_key for node in network.nodes])
    _require_distinct("account", [node.account.lower() for node in network.nodes if node.account])
    if not network.validators:
        raise DescriptionInvalid("A network needs a validator.")
    for node in network.validators:
        if not ip_address(node.rpc_host).is_loopback:
            raise DescriptionInvalid(f"{node.name}: the RPC of a validator is for its own machine alone.")
    if network.period_seconds < 1:
        raise DescriptionInvalid("A period of 0 stalls with more than one signer.")


def _require_distinct(what: str, values: Sequence[str]) -> None:
    if len(set(values)) != len(values):
        raise DescriptionInvalid(f"Two nodes have the same {what}.")
