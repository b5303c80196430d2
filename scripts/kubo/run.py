"""Build and run a private Kubo node: ``python scripts/kubo/run.py build`` and ``... serve DIRECTORY``.

The node is ``backend.adapters.storage.kubo_node.KuboNode``; this script adds the build, which needs Go.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from backend.adapters.storage.kubo_node import KuboNode
from backend.errors import AssentError

ROOT: Final = Path(__file__).resolve().parents[2]
BINARY: Final = ROOT / ".build" / "kubo" / "ipfs"
BUILD_COMMAND: Final = "python scripts/kubo/run.py build"
_MODULE: Final = Path(__file__).resolve().parent  # go.mod and go.sum pin the version
_PACKAGE: Final = "github.com/ipfs/kubo/cmd/ipfs"
_BUILD_SECONDS: Final = 1800.0


def build() -> Path:
    """Return the Kubo binary, built from the pinned sources when it is missing. Raises CalledProcessError."""
    if BINARY.is_file():
        return BINARY
    if shutil.which("go") is None:
        sys.exit("Kubo is built from source and needs Go 1.26.4 or newer: see https://go.dev/dl")
    print("Building Kubo (about two minutes, once) ...", flush=True)
    BINARY.parent.mkdir(parents=True, exist_ok=True)
    unfinished = BINARY.with_name("ipfs.tmp")
    subprocess.run(
        ["go", "build", "-mod=mod", "-trimpath", "-o", str(unfinished), _PACKAGE],
        cwd=_MODULE,
        check=True,
        timeout=_BUILD_SECONDS,
    )
    unfinished.replace(BINARY)
    return BINARY


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
