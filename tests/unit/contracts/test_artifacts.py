"""The committed artifacts are sound, and every tool compiles with the settings they name."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from eth_utils.crypto import keccak

ROOT = Path(__file__).resolve().parents[3]
ARTIFACTS = sorted((ROOT / "backend/adapters/ledger/artifacts").glob("*.json"))
EIP_170_BYTES = 24_576


def _load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = _load(ARTIFACTS[0])["compiler"]["settings"]
    return settings


@pytest.mark.parametrize("path", ARTIFACTS, ids=lambda path: path.stem)
def test_artifact_is_canonical_sized_and_hashed(path: Path) -> None:
    artifact = _load(path)
    assert path.read_text(encoding="utf-8") == json.dumps(artifact, indent=1, sort_keys=True) + "\n"
    deployed = bytes.fromhex(artifact["deployedBytecode"].removeprefix("0x"))
    creation = bytes.fromhex(artifact["bytecode"].removeprefix("0x"))
    assert len(deployed) <= EIP_170_BYTES
    assert artifact["deployedCodeHash"] == "0x" + keccak(deployed).hex()
    assert artifact["bytecodeHash"] == "0x" + keccak(creation).hex()
    for place in artifact["immutableReferences"]:
        assert not any(deployed[place["start"] : place["start"] + place["length"]])
    assert artifact["compiler"]["settings"] == _settings()


def test_forge_measures_gas_with_the_same_settings() -> None:
    profiles = tomllib.loads((ROOT / "foundry.toml").read_text(encoding="utf-8"))["profile"]
    forge = profiles["default"] | profiles["gas"]
    settings = _settings()
    assert forge["evm_version"] == settings["evmVersion"]
    assert forge["via_ir"] == settings["viaIR"]
    assert {"enabled": forge["optimizer"], "runs": forge["optimizer_runs"]} == settings["optimizer"]
    assert (forge["bytecode_hash"], forge["cbor_metadata"]) == ("none", False)
    assert forge["solc"].endswith(_load(ARTIFACTS[0])["compiler"]["version"])


def test_forge_deploys_the_committed_bytecode_only() -> None:
    made = re.compile(rf"\bnew ({'|'.join(path.stem for path in ARTIFACTS)})\(")
    for folder in ("forge", "gas"):
        for path in (ROOT / "tests" / folder).rglob("*.sol"):
            assert not made.search(path.read_text(encoding="utf-8")), f"{path.name}: use Deploy"


def test_brownie_has_the_same_settings() -> None:
    brownie = yaml.safe_load((ROOT / "brownie-config.yaml").read_text(encoding="utf-8"))["compiler"]
    settings = _settings()
    assert brownie["evm_version"] == settings["evmVersion"]
    assert brownie["solc"]["viaIR"] == settings["viaIR"]
    assert brownie["solc"]["optimizer"] == settings["optimizer"]
    assert brownie["solc"]["version"] == _load(ARTIFACTS[0])["compiler"]["version"]


def test_no_source_has_assembly_of_its_own() -> None:
    for path in (ROOT / "contracts").rglob("*.sol"):
        assert "assembly" not in path.read_text(encoding="utf-8"), path.name
