"""Brownie must deploy the committed bytecode, as forge's tests do: then each tests what is deployed."""

from __future__ import annotations

import json
from pathlib import Path

import brownie
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    "AuditAnchor",
    "ConsentRegistry",
    "EmergencyAccess",
    "KeyRegistry",
    "ParticipantRegistry",
    "RecordRegistry",
    "Recovery",
    "ResearchMarket",
    "SucceedingConsentRegistry",
    "SucceedingEmergencyAccess",
    "SucceedingKeyRegistry",
    "SucceedingRecovery",
    "TestToken",
    "WitnessPair",
    "WitnessPairs",
)


@pytest.fixture(scope="module")
def committed():
    folder = ROOT / "backend" / "adapters" / "ledger" / "artifacts"
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_bytecode_of_brownie_equals_the_committed_artifact(committed, name):
    container = getattr(brownie.project.get_loaded_projects()[0], name)
    assert "0x" + container.bytecode.removeprefix("0x") == committed[name]["bytecode"]
