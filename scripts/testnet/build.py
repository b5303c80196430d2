"""The geth program, built once from the pinned sources: 1.13.15 is the last release that seals Clique."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from scripts.go_build import GoProgram

ROOT: Final = Path(__file__).resolve().parents[2]
BINARY: Final = ROOT / ".build" / "testnet" / "geth"
BUILD_COMMAND: Final = "make testnet"
_PROGRAM: Final = GoProgram(
    name="geth",
    module=Path(__file__).resolve().parent,
    package="github.com/ethereum/go-ethereum/cmd/geth",
    binary=BINARY,
    go_version="1.26.4",
    minutes="three minutes",
    # Its dependencies reach into the runtime by names that newer compilers hide without this.
    flags=("-ldflags=-checklinkname=0",),
)


def build() -> Path:
    """Return the program, built when it is missing. Raises CalledProcessError."""
    return _PROGRAM.build()
