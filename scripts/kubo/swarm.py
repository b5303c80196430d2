"""A private swarm as its operators agree on it: a public description, the same for all, and one secret key.

``swarm.json`` names each node with the address that its peers reach it at, its RPC and its identity.
``swarm.key`` keeps everybody else out. A node's repository lies below ``nodes`` on its own machine alone.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from backend.adapters.durable import write_file
from backend.adapters.process import free_port
from backend.adapters.storage.kubo_node import KuboNode, Place
from backend.errors import OperatorError

FILE: Final = "swarm.json"
KEY_FILE: Final = "swarm.key"
_KEY_HEAD: Final = b"/key/swarm/psk/1.0.0/\n/base16/\n"  # libp2p, specs/pnet
_KEY_BYTES: Final = 32
_HERE: Final = "127.0.0.1"


class SwarmInvalid(OperatorError):
    code = "kubo_swarm_invalid"
    remedy = "Correct swarm.json and swarm.key: docs/storage.md shows both."


@dataclass(frozen=True, slots=True)
class Node:
    """``listen`` and ``rpc`` are multiaddresses such as ``/ip4/127.0.0.1/tcp/4001``."""

    name: str
    listen: str
    rpc: str
    identity: str


def repository_of(shared: Path, name: str) -> Path:
    return shared / "nodes" / name


def draw_key(shared: Path) -> None:
    """Draw the key of the swarm, mode 0600, where there is none."""
    shared.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (shared / KEY_FILE).exists():
        write_file(shared / KEY_FILE, _KEY_HEAD + secrets.token_hex(_KEY_BYTES).encode() + b"\n")


def draw_node(  # noqa: PLR0917 - an address and two ports
    binary: Path, shared: Path, name: str, host: str = _HERE, port: int = 0, rpc_port: int = 0
) -> Node:
    """Make a node's repository below ``shared`` and return its public half. What was drawn before stays."""
    return Node(
        name=name,
        listen=f"/ip4/{host}/tcp/{port or free_port()}",
        rpc=f"/ip4/{_HERE}/tcp/{rpc_port or free_port()}",
        identity=KuboNode(binary, repository_of(shared, name)).identity,
    )


def new_swarm(binary: Path, shared: Path, *, nodes: int = 3) -> list[Node]:
    """Describe a swarm that runs on this machine alone, and draw its keys. Raises SwarmInvalid."""
    if shared.exists() and any(shared.iterdir()):
        raise SwarmInvalid(f"{shared} is not empty.")
    draw_key(shared)
    drawn = [draw_node(binary, shared, f"node-{number + 1}") for number in range(nodes)]
    write_swarm(shared, drawn)
    return drawn


def write_swarm(shared: Path, nodes: Sequence[Node]) -> None:
    text = json.dumps({"nodes": [asdict(node) for node in nodes]}, indent=2) + "\n"
    write_file(shared / FILE, text.encode())


def read_swarm(shared: Path) -> tuple[list[Node], bytes]:
    """Return the nodes and the key. Raises SwarmInvalid, also where others can read the key."""
    try:
        nodes = [Node(**node) for node in json.loads((shared / FILE).read_bytes())["nodes"]]
        key, mode = (shared / KEY_FILE).read_bytes(), (shared / KEY_FILE).stat().st_mode
        drawn = bytes.fromhex(key.removeprefix(_KEY_HEAD).decode("ascii"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SwarmInvalid from error
    if not key.startswith(_KEY_HEAD) or len(drawn) != _KEY_BYTES:
        raise SwarmInvalid(f"{KEY_FILE} is no key of a private network.")
    if mode & 0o077:
        raise SwarmInvalid(f"{KEY_FILE} can be read by others: chmod 600 {shared / KEY_FILE}")
    names = [node.name for node in nodes]
    if not nodes or len(set(names)) != len(names) or any("/" in name or name[:1] == "." for name in names):
        raise SwarmInvalid("Each node needs a name of its own, which is a folder's.")
    return nodes, key


class LocalSwarm:
    """The nodes whose repositories are on this machine. ``only``: names; all of these where it is empty."""

    def __init__(self, binary: Path, shared: Path, *, only: Sequence[str] = ()) -> None:
        described, key = read_swarm(shared)
        wanted = only or [node.name for node in described if repository_of(shared, node.name).exists()]
        by_name = {node.name: node for node in described}
        if unknown := set(wanted) - set(by_name):
            raise SwarmInvalid(f"{FILE} has no node {', '.join(sorted(unknown))}.")
        self.described = described
        self.nodes = {
            name: KuboNode(
                binary,
                repository_of(shared, name),
                Place(
                    listen=by_name[name].listen,
                    rpc=by_name[name].rpc,
                    peers=tuple(_peers(by_name[name], described)),
                    key=key,
                ),
            )
            for name in wanted
        }

    def start(self) -> None:
        """Start all that do not run. Raises NodeFailed, and stops what it started."""
        try:
            for name, node in self.nodes.items():
                if node.pid is None:
                    _require_own(name, node, self.described)
                    node.start()
        except BaseException:
            self.stop()
            raise

    def revive(self) -> list[str]:
        """Start again what ended by itself, and return its names. Raises NodeFailed."""
        ended = [name for name, node in self.nodes.items() if not node.runs]
        for name in ended:
            self.nodes[name].stop()
            self.nodes[name].start()
        return ended

    def stop(self) -> None:
        for node in self.nodes.values():
            node.stop()


def _peers(one: Node, described: Iterable[Node]) -> Iterable[str]:
    return (f"{node.listen}/p2p/{node.identity}" for node in described if node is not one)


def _require_own(name: str, node: KuboNode, described: Iterable[Node]) -> None:
    """A repository made anew has another identity, and no peer would know it."""
    if node.identity not in {each.identity for each in described if each.name == name}:
        raise SwarmInvalid(f"{FILE} gives another identity for {name} than its repository: {node.identity}.")
