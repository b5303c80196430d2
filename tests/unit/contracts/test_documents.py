"""docs/contracts.md names every function and every custom error, and nothing that is gone."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.access.node import changing_functions, deployed_contracts, views

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
OURS = (
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


def _names(kind: str) -> set[str]:
    """Return the names of this kind that our own interfaces declare and the ABIs carry."""
    interfaces = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "contracts/interfaces").glob("I*.sol")
    )
    declared = set(re.findall(rf"^    {kind} (\w+)\(", interfaces, re.MULTILINE))
    carried = set()
    for name in OURS:
        path = ROOT / "backend/adapters/ledger/artifacts" / f"{name}.json"
        artifact = json.loads(path.read_text(encoding="utf-8"))
        carried |= {entry["name"] for entry in artifact["abi"] if entry["type"] == kind}
    assert declared <= carried, f"declared but not in any ABI: {declared - carried}"
    return declared


def test_every_custom_error_is_explained_once() -> None:
    explained = re.findall(r"^\| `(\w+)` \|", DOCUMENT.split("## Errors")[1], re.MULTILINE)
    assert sorted(explained) == sorted(_names("error"))


def test_every_function_says_who_may_call_it() -> None:
    section = DOCUMENT.split("## Who may call what")[1].split("\n## ")[0]
    listed = {
        name
        for row in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
        for name in re.findall(r"\w+", row)
    } - set(deployed_contracts())
    # Of the compiled contracts, with what they inherit; the access matrix has a row for each that changes
    # something.
    functions = {name for each in deployed_contracts() for name in (*changing_functions(each), *views(each))}
    assert functions <= listed, f"docs/contracts.md does not say who may call {sorted(functions - listed)}"
    assert listed <= functions, f"no contract has {sorted(listed - functions)}"


def test_every_event_is_named() -> None:
    assert {name for name in _names("event") if f"`{name}`" not in DOCUMENT} == set()
