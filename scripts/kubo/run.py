"""Build and run private Kubo nodes: one alone, or a swarm. ``docs/storage.md`` tells the whole of it.

python -m scripts.kubo.run build                    build Kubo (needs Go)
python -m scripts.kubo.run serve DIRECTORY          run one node, alone, until Ctrl-C
python -m scripts.kubo.run new DIRECTORY            describe a swarm of this machine and draw its keys
python -m scripts.kubo.run up DIRECTORY [NAME...]   run its nodes that are here, until Ctrl-C
python -m scripts.kubo.run status DIRECTORY         what each node says; exit status 1 when one is away
python -m scripts.kubo.run node DIRECTORY NAME      make one node and print its public half
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from backend.adapters.storage.kubo import KuboBlockStore
from backend.adapters.storage.kubo_node import KuboNode
from backend.errors import AssentError
from scripts.go_build import GoProgram
from scripts.kubo.swarm import LocalSwarm, draw_key, draw_node, new_swarm, read_swarm

ROOT: Final = Path(__file__).resolve().parents[2]
BINARY: Final = ROOT / ".build" / "kubo" / "ipfs"
BUILD_COMMAND: Final = "python scripts/kubo/run.py build"
_LOOK_SECONDS: Final = 2.0
_RPC_SECONDS: Final = 5.0
_PROGRAM: Final = GoProgram(
    name="Kubo",
    module=Path(__file__).resolve().parent,
    package="github.com/ipfs/kubo/cmd/ipfs",
    binary=BINARY,
    go_version="1.26.4",
    minutes="two minutes",
)


def build() -> Path:
    """Return the Kubo binary, built from the pinned sources when it is missing. Raises CalledProcessError."""
    return _PROGRAM.build()


def serve(repository: Path) -> None:
    """Run a node until interrupted; prints the address to set as ASSENT_KUBO_ADDRESS."""
    node = KuboNode(build(), repository)
    with _interruption() as ended:
        node.start()
        try:
            print(f"ASSENT_STORAGE=kubo ASSENT_KUBO_ADDRESS={node.address}", flush=True)
            ended.wait()
        finally:
            node.stop()


def up(directory: Path, names: list[str]) -> None:
    """Run the nodes of a swarm until interrupted, each started again when it ends."""
    local = LocalSwarm(build(), directory, only=names)
    with _interruption() as ended:
        try:
            local.start()
            addresses = ",".join(node.rpc for node in local.described)
            print(f"ASSENT_STORAGE=kubo ASSENT_KUBO_ADDRESS={addresses}", flush=True)
            while not ended.wait(_LOOK_SECONDS):
                for name in local.revive():
                    print(f"{name} had ended and was started again", file=sys.stderr, flush=True)
        finally:
            local.stop()


def status(directory: Path) -> bool:
    """Print what each node of the description says; tell whether all answer and see all the others."""
    nodes, _ = read_swarm(directory)
    well = True
    for node in nodes:
        store = KuboBlockStore(node.rpc, timeout_seconds=_RPC_SECONDS)
        try:
            store.check()
            peers = store.peers()
            said = f"up, {len(peers)} of {len(nodes) - 1} peers"
            well = well and len(peers) == len(nodes) - 1
        except AssentError as failure:
            said, well = failure.code, False
        finally:
            store.close()
        print(f"{node.name:12} {node.rpc:32} {said}")
    return well


def draw(directory: Path, options: argparse.Namespace) -> None:
    """Make one node of a swarm of several machines."""
    draw_key(directory)
    node = draw_node(build(), directory, options.name, options.host, options.port, options.rpc_port)
    print(json.dumps(asdict(node), indent=2))


@contextmanager
def _interruption() -> Iterator[threading.Event]:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    yield ended


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the binary into .build/kubo when it is missing")
    for name, text in (
        ("serve", "run one node in a directory until Ctrl-C"),
        ("new", "describe a swarm of this machine alone, and draw its keys"),
        ("up", "run the nodes whose repositories are here until Ctrl-C"),
        ("status", "what each node says; exit status 1 when something is wrong"),
        ("node", "make one node of a swarm of several machines, and print its public half"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("directory", type=Path, help="made when it is missing")
        if name == "new":
            command.add_argument("--nodes", type=int, default=3, metavar="N")
        if name == "up":
            command.add_argument("names", nargs="*", metavar="NAME", help="these alone")
        if name == "node":
            command.add_argument("name", metavar="NAME")
            command.add_argument("--host", default="127.0.0.1", help="address at which its peers reach it")
            command.add_argument("--port", type=int, default=4001, help="for its peers")
            command.add_argument("--rpc-port", type=int, default=5001, help="on loopback, for the service")
    options = parser.parse_args()
    try:
        return _run(options)
    except AssentError as error:
        print(f"{error.code}: {error.detail}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "build":
            print(build())
        case "serve":
            serve(options.directory)
        case "new":
            nodes = new_swarm(build(), options.directory, nodes=options.nodes)
            print(f"A swarm of {len(nodes)} nodes is described in {options.directory}.")
        case "up":
            up(options.directory, options.names)
        case "node":
            draw(options.directory, options)
        case "status":
            return 0 if status(options.directory) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
