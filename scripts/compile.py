"""Compile the contracts and write one artifact a contract, the same bytes on every machine.

``python scripts/compile.py`` writes ``backend/adapters/ledger/artifacts/<Name>.json``. With ``--check`` it
writes nothing and fails if a committed artifact differs. With ``--compiler-only`` it installs the compiler
for the other tools (forge, Brownie, Slither) and compiles nothing. The compiler is the npm package ``solc``,
reached through ``scripts/solc/solc.js`` as py-solc-x expects a native one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

ROOT = Path(__file__).resolve().parent.parent
SOLC_VERSION = "0.8.37"
COMPILER_FOLDER = ROOT / ".build" / "solcx"
ARTIFACTS = ROOT / "backend" / "adapters" / "ledger" / "artifacts"
OPENZEPPELIN = "node_modules/@openzeppelin/"

# Contract -> source file. Four are made by others: the AccessManager by the ParticipantRegistry, Recovery by
# the ConsentRegistry, SucceedingRecovery by the SucceedingConsentRegistry, each WitnessPair by WitnessPairs.
CONTRACTS = {
    "AccessManager": f"{OPENZEPPELIN}contracts/access/manager/AccessManager.sol",
    "AuditAnchor": "contracts/AuditAnchor.sol",
    "ConsentRegistry": "contracts/ConsentRegistry.sol",
    "EmergencyAccess": "contracts/EmergencyAccess.sol",
    "KeyRegistry": "contracts/KeyRegistry.sol",
    "ParticipantRegistry": "contracts/ParticipantRegistry.sol",
    "RecordRegistry": "contracts/RecordRegistry.sol",
    "Recovery": "contracts/consent/Recovery.sol",
    "ResearchMarket": "contracts/ResearchMarket.sol",
    "SucceedingConsentRegistry": "contracts/SucceedingConsentRegistry.sol",
    "SucceedingEmergencyAccess": "contracts/SucceedingEmergencyAccess.sol",
    "SucceedingKeyRegistry": "contracts/SucceedingKeyRegistry.sol",
    "SucceedingRecovery": "contracts/succession/SucceedingRecovery.sol",
    "TestToken": "contracts/TestToken.sol",
    "WitnessPair": "contracts/WitnessPair.sol",
    "WitnessPairs": "contracts/WitnessPairs.sol",
}

# The same in brownie-config.yaml; a test compares the bytecode. Forge's tests deploy what is written here.
SETTINGS: dict[str, Any] = {
    "evmVersion": "paris",
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 1000000},
    # Without the metadata trailer the bytecode depends on the code alone, not on paths or comments.
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "remappings": [f"@openzeppelin/={OPENZEPPELIN}"],
}


def install_compiler() -> Path:
    """Install the wrapper where py-solc-x looks for solc; return the executable."""
    wrapper = ROOT / "scripts" / "solc" / "solc.js"
    executable = COMPILER_FOLDER / f"solc-v{SOLC_VERSION}"
    COMPILER_FOLDER.mkdir(parents=True, exist_ok=True)
    text = f'#!/bin/sh\nexec node "{wrapper}" "$@"\n'
    if not executable.exists() or executable.read_text() != text:
        draft = executable.with_suffix(f".{os.getpid()}")
        draft.write_text(text)
        draft.chmod(0o755)
        draft.replace(executable)
    os.environ["SOLCX_BINARY_PATH"] = str(COMPILER_FOLDER)
    return executable


def compile_contracts() -> dict[str, Any]:
    """Return solc's standard-JSON output for all contracts; raise SystemExit with its messages."""
    install_compiler()
    import solcx  # noqa: PLC0415 - it reads SOLCX_BINARY_PATH and looks for compilers when imported

    deployed = "evm.deployedBytecode"
    wanted = ["abi", "storageLayout", "evm.bytecode.object"]
    wanted += [f"{deployed}.object", f"{deployed}.immutableReferences"]
    sources = sorted(CONTRACTS.values())
    request = {
        "language": "Solidity",
        "sources": {name: {"content": (ROOT / name).read_text(encoding="utf-8")} for name in sources},
        "settings": SETTINGS | {"outputSelection": {"*": {"*": wanted}}},
    }
    try:
        output: dict[str, Any] = solcx.compile_standard(
            request, solc_version=SOLC_VERSION, base_path=str(ROOT)
        )
    except solcx.exceptions.SolcError as error:
        raise SystemExit(f"the contracts do not compile:\n{error}") from None
    warnings = [
        entry["formattedMessage"]
        for entry in output.get("errors", [])
        if not entry.get("sourceLocation", {}).get("file", "").startswith("node_modules/")
    ]
    if warnings:
        print("\n".join(warnings), file=sys.stderr)
    return output


def artifact(name: str, output: dict[str, Any]) -> dict[str, Any]:
    """Return what deployment and the ledger adapter need of one contract. All code is 0x hex.

    ``deployedCodeHash`` is the keccak-256 of ``deployedBytecode`` as compiled, that is with zeros where
    ``immutableReferences`` (byte offset and length) says the constructor fills in values.
    """
    compiled = output["contracts"][CONTRACTS[name]][name]
    creation = bytes.fromhex(compiled["evm"]["bytecode"]["object"])
    deployed = bytes.fromhex(compiled["evm"]["deployedBytecode"]["object"])
    references = compiled["evm"]["deployedBytecode"].get("immutableReferences", {})
    places = sorted((place["start"], place["length"]) for group in references.values() for place in group)
    variables = compiled["storageLayout"]["storage"]
    return {
        "contractName": name,
        "source": CONTRACTS[name],
        "abi": compiled["abi"],
        "bytecode": "0x" + creation.hex(),
        "bytecodeHash": "0x" + keccak(creation).hex(),
        "deployedBytecode": "0x" + deployed.hex(),
        "deployedCodeHash": "0x" + keccak(deployed).hex(),
        "storageLayout": [_variable(each, compiled["storageLayout"]["types"]) for each in variables],
        "immutableReferences": [{"start": start, "length": length} for start, length in places],
        "compiler": {"version": SOLC_VERSION, "settings": SETTINGS},
    }


def _variable(found: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    """Return where a state variable lies: its slot, its first byte there, and its type as Solidity has it."""
    place = {"label": found["label"], "slot": int(found["slot"]), "offset": found["offset"]}
    return place | {"type": types[found["type"]]["label"]}


def main() -> int:
    """Parse the command line, compile, write or compare; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed artifacts")
    parser.add_argument("--compiler-only", action="store_true", help="install the compiler and stop")
    arguments = parser.parse_args()
    if arguments.compiler_only:
        print(install_compiler())
        return 0
    output = compile_contracts()
    stale = []
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name in CONTRACTS:
        path = ARTIFACTS / f"{name}.json"
        text = json.dumps(artifact(name, output), indent=1, sort_keys=True) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
    if arguments.check and stale:
        print(
            f"artifacts differ from the sources: {', '.join(stale)}; run scripts/compile.py", file=sys.stderr
        )
        return 1
    print(
        f"{len(CONTRACTS)} contracts, {len(stale)} artifacts written"
        if not arguments.check
        else "artifacts match"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
