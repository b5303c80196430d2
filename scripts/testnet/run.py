"""Make and run a proof-of-authority network of geth nodes. ``docs/testnet.md`` tells the whole of it.

python -m scripts.testnet.run new DIRECTORY      describe a network of this machine and draw its keys
python -m scripts.testnet.run up DIRECTORY       run its nodes and watch them, until Ctrl-C
python -m scripts.testnet.run status DIRECTORY   what each node says; exit status 1 when something is wrong
python -m scripts.testnet.run down DIRECTORY     end what ``up`` runs
python -m scripts.testnet.run mend DIRECTORY     bring validators together that stand still on two branches
python -m scripts.testnet.run fund DIRECTORY ACCOUNT...   give accounts what they pay gas with
python -m scripts.testnet.run key DIRECTORY NAME          draw the keys of one node and print its public half
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

from backend.adapters.durable import write_file
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.errors import LedgerUnavailable
from scripts.testnet.build import build
from scripts.testnet.description import GAS_PRICE_WEI, DescriptionInvalid, Network, read
from scripts.testnet.local import LocalNodes, draw_node, fund, new_network
from scripts.testnet.mend import Unmendable, mend
from scripts.testnet.node import NodeFailed
from scripts.testnet.watch import Watch, findings, health_of

_PID_FILE: Final = "up.pid"
_WATCH_SECONDS: Final = 2.0
_DOWN_SECONDS: Final = 60.0
_RPC_SECONDS: Final = 5.0


def main() -> int:
    options = _options()
    try:
        return int(options.run(options))
    except (DescriptionInvalid, NodeFailed, TimeoutError, Unmendable) as error:
        print(error, file=sys.stderr)
    except LedgerUnavailable as error:
        print(f"{error.detail} Does the network run? See 'status'.", file=sys.stderr)
    except RpcError as error:
        print(f"The node refused it: {error.message}.", file=sys.stderr)
    return 2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)

    building = commands.add_parser("build", help="build geth into .build/testnet when it is missing")
    building.set_defaults(run=_build)

    new = commands.add_parser("new", help="describe a network of this machine alone, and draw its keys")
    _directory(new)
    new.add_argument("--validators", type=int, default=4, metavar="N")
    new.add_argument("--plain", type=int, default=2, metavar="N", help="nodes that seal nothing")
    new.add_argument("--period", type=int, default=1, metavar="SECONDS", help="between two blocks")
    new.add_argument("--chain-id", type=int, default=None, help="drawn where it is not given")
    new.add_argument("--prefund", action="append", default=[], metavar="ACCOUNT")
    new.set_defaults(run=_new)

    up = commands.add_parser("up", help="run the nodes whose keys are here, and watch them")
    _directory(up)
    up.add_argument("names", nargs="*", metavar="NAME", help="these alone")
    up.set_defaults(run=_up)

    status = commands.add_parser("status", help="what each node says; exit status 1 when something is wrong")
    _directory(status)
    status.set_defaults(run=_status)

    mending = commands.add_parser("mend", help="bring validators together that stand still on two branches")
    _directory(mending)
    mending.set_defaults(run=_mend)

    down = commands.add_parser("down", help="end what 'up' runs")
    _directory(down)
    down.set_defaults(run=_down)

    funding = commands.add_parser("fund", help="give accounts what they pay gas with, from the treasury")
    _directory(funding)
    funding.add_argument("accounts", nargs="+", metavar="ACCOUNT")
    funding.add_argument("--wei", type=int, default=10**18, help="to each")
    funding.set_defaults(run=_fund)

    key = commands.add_parser("key", help="draw the keys of one node, print what its network.json says of it")
    _directory(key)
    key.add_argument("name", metavar="NAME")
    key.add_argument("--validator", action="store_true", help="it seals blocks, and has an account for that")
    key.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where its peers reach it")
    key.add_argument("--port", type=int, default=0, help="where its peers reach it; a free one by default")
    key.set_defaults(run=_key)
    return parser.parse_args()


def _directory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIRECTORY")


def _build(_: argparse.Namespace) -> int:
    print(build())
    return 0


def _new(options: argparse.Namespace) -> int:
    network = new_network(
        options.directory,
        validators=options.validators,
        plain=options.plain,
        period_seconds=options.period,
        chain_id=options.chain_id,
        prefunded=options.prefund,
    )
    print(f"A network of {len(network.nodes)} nodes is described in {options.directory}.")
    return 0


def _up(options: argparse.Namespace) -> int:
    nodes = LocalNodes(build(), options.directory, only=options.names)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    pid_file = options.directory / _PID_FILE
    try:
        nodes.start()
        write_file(pid_file, str(os.getpid()).encode())
        for line in _settings(nodes.network):
            print(line, flush=True)
        watch = Watch(
            {name: node.rpc for name, node in nodes.nodes.items()},
            period_seconds=nodes.network.period_seconds,
        )
        while not ended.wait(_WATCH_SECONDS):
            for line in watch.look():
                print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)
    finally:
        nodes.stop()
        pid_file.unlink(missing_ok=True)
    return 0


def _settings(network: Network) -> list[str]:
    """The settings of a service on this network; of plain nodes where there are some, of two where it can."""
    plain = [each for each in network.nodes if not each.is_validator] or list(network.nodes)
    names = ("ASSENT_LEDGER_URL", "ASSENT_LEDGER_SECOND_URL")
    return [
        *(f"{name}={node.rpc_url}" for name, node in zip(names, plain, strict=False)),
        f"ASSENT_LEDGER_CHAIN_ID={network.chain_id}",
        f"ASSENT_LEDGER_FINALITY_BLOCKS={network.finality_blocks}",
        f"ASSENT_LEDGER_GAS_PRICE_WEI={GAS_PRICE_WEI}",
    ]


def _status(options: argparse.Namespace) -> int:
    network = read(options.directory)
    healths = {
        node.name: health_of(Rpc(node.rpc_url, timeout_seconds=_RPC_SECONDS)) for node in network.nodes
    }
    wrong = findings(healths, period_seconds=network.period_seconds)
    troubles = {each.node: each for each in wrong}
    for name, health in healths.items():
        line = f"{name:<16}"
        if health.head is not None:
            line += f" head {health.head}, {health.age_seconds} s old, {health.peers} peers"
        if name in troubles:
            line += f"  {troubles[name].what.upper()}: {troubles[name].detail}"
        print(line)
    return 1 if wrong else 0


def _down(options: argparse.Namespace) -> int:
    pid_file = options.directory / _PID_FILE
    try:
        pid = int(pid_file.read_text())
        if __spec__.name.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
            raise ProcessLookupError  # the number is another program's by now
        os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        pid_file.unlink(missing_ok=True)
        print("Nothing runs.")
        return 0
    deadline = time.monotonic() + _DOWN_SECONDS
    while pid_file.exists():  # it goes when the nodes have ended
        if time.monotonic() > deadline:
            raise TimeoutError(f"Process {pid} does not end.")
        time.sleep(0.1)
    return 0


def _mend(options: argparse.Namespace) -> int:
    network = read(options.directory)
    validators = {node.name: Rpc(node.rpc_url, timeout_seconds=_RPC_SECONDS) for node in network.validators}
    taken_back = mend(validators, finality_blocks=network.finality_blocks)
    print(f"Taken back: {', '.join(taken_back)}." if taken_back else "All validators are on one branch.")
    return 0


def _fund(options: argparse.Namespace) -> int:
    network = read(options.directory)
    node = next((each for each in network.nodes if not each.is_validator), network.nodes[0])
    rpc = Rpc(node.rpc_url, timeout_seconds=_RPC_SECONDS)
    fund(options.directory, rpc, network, options.accounts, wei=options.wei)
    print(f"{len(options.accounts)} accounts have {options.wei} wei more.")
    return 0


def _key(options: argparse.Namespace) -> int:
    node = draw_node(
        options.directory, options.name, validator=options.validator, host=options.host, port=options.port
    )
    print(json.dumps(asdict(node), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
