"""An honest ERC-20 for the market, compiled from the source that the forge tests use."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from scripts.compile import COMPILER_FOLDER, ROOT, SETTINGS, SOLC_VERSION, install_compiler

_SOURCE = "tests/forge/support/Tokens.sol"


@cache
def token_creation_code() -> bytes:
    """Return the creation code of ``Token``; its only function beyond ERC-20 is ``mint(address,uint256)``."""
    os.environ["SOLCX_BINARY_PATH"] = str(install_compiler().parent)
    import solcx  # noqa: PLC0415 - it looks for compilers when imported

    output = solcx.compile_standard(
        {
            "language": "Solidity",
            "sources": {_SOURCE: {"content": Path(ROOT / _SOURCE).read_text(encoding="utf-8")}},
            # Not optimized: it is compiled for each run.
            "settings": {
                "evmVersion": SETTINGS["evmVersion"],
                "remappings": SETTINGS["remappings"],
                "outputSelection": {_SOURCE: {"Token": ["evm.bytecode.object"]}},
            },
        },
        solc_version=SOLC_VERSION,
        base_path=str(ROOT),
        solc_binary=str(COMPILER_FOLDER / f"solc-v{SOLC_VERSION}"),
    )
    return bytes.fromhex(output["contracts"][_SOURCE]["Token"]["evm"]["bytecode"]["object"])
