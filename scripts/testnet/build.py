"""The geth program, built once from the pinned sources: 1.13.15 is the last release that seals Clique."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
BINARY: Final = ROOT / ".build" / "testnet" / "geth"
BUILD_COMMAND: Final = "make testnet"
_MODULE: Final = Path(__file__).resolve().parent  # go.mod and go.sum pin the version
_PACKAGE: Final = "github.com/ethereum/go-ethereum/cmd/geth"
_BUILD_SECONDS: Final = 1800.0


def build() -> Path:
    """Return the program, built when it is missing. Raises CalledProcessError."""
    if BINARY.is_file():
        return BINARY
    if shutil.which("go") is None:
        sys.exit("geth is built from source and needs Go 1.26.4 or newer: see https://go.dev/dl")
    print("Building geth (about three minutes, once) ...", flush=True)
    BINARY.parent.mkdir(parents=True, exist_ok=True)
    unfinished = BINARY.with_name("geth.tmp")
    subprocess.run(
        # Its dependencies reach into the runtime by names that newer compilers hide without this.
        ["go", "build", "-mod=mod", "-trimpath", "-ldflags=-checklinkname=0", "-o", unfinished, _PACKAGE],
        cwd=_MODULE,
        check=True,
        timeout=_BUILD_SECONDS,
    )
    unfinished.replace(BINARY)
    return BINARY
