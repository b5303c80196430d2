"""Build and run a private Kubo node: ``python scripts/kubo/run.py build`` and ``... serve DIRECTORY``.

The node is ``backend.adapters.storage.kubo_node.KuboNode``; this script adds the build, which needs Go.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from backend.adapters.storage.kubo_node import KuboNode
from backend.errors import AssentError
from scripts.go_build import GoProgram

ROOT: Final = Path(__file__).resolve().parents[2]
BINARY: Final = ROOT / ".build" / "kubo" / "ipfs"
BUILD_COMMAND: Final = "python scripts/kubo/run.py build"
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
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    node.start()
    try:
        print(f"ASSENT_STORAGE=kubo ASSENT_KUBO_ADDRESS={node.address}", flush=True)
        ended.wait()
    finally:
        node.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the binary into .build/kubo when it is missing")
    serving = commands.add_parser("serve", help="run a node in a directory until Ctrl-C")
    serving.add_argument("directory", type=Path, help="the node's repository; made when it is missing")
    arguments = parser.parse_args()
    if arguments.command == "build":
        print(build())
        return
    try:
        serve(arguments.directory)
    except AssentError as error:
        sys.exit(f"{error.code}: {error.detail}")


if __name__ == "__main__":
    main()
