"""Contracts, vectors and scenario tests mean the same types, and every command has a vector."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

from backend.consent.schema import CLASSES, STRUCTS, encode_type

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "vectors/typed_data.json").read_text())
PARTS = {"ConsentTerms", "ResearchTerms", "Rule", "DelegationTerms", "RecoveryPolicy"}  # never signed alone


def _hashed_in_contracts() -> dict[str, str]:
    """Every type string that a contract hashes, by the name of its first type."""
    found = {}
    for path in (ROOT / "contracts").rglob("*.sol"):
        for literals in re.findall(r'keccak256\(\s*((?:"[^"]*"\s*)+)\)', path.read_text()):
            text = "".join(re.findall(r'"([^"]*)"', literals))
            if re.match(r"\w+\(", text):
                found[text.partition("(")[0]] = text
    return found


def test_contracts_hash_the_types_of_the_vectors_and_no_other() -> None:
    hashed = _hashed_in_contracts()
    assert set(hashed) == set(CLASSES) - (PARTS - {"RecoveryPolicy"})
    assert hashed == {name: VECTORS["types"][name]["string"] for name in hashed}


def test_every_command_has_a_case() -> None:
    signed = {case["typedData"]["primaryType"] for case in VECTORS["cases"]}
    assert signed == set(CLASSES) - PARTS


def test_every_contract_that_takes_signatures_has_a_domain_and_cases() -> None:
    named = {
        re.search(r"contract (\w+)", path.read_text())[1]: title  # type: ignore[index]
        for path in (ROOT / "contracts").rglob("*.sol")
        for title in re.findall(r'EIP712\("([^"]+)", "1"\)', path.read_text())
    }
    assert len(named) == 7
    assert set(named.values()) == {domain["name"] for domain in VECTORS["domains"].values()}
    assert {case["contract"] for case in VECTORS["cases"]} == set(VECTORS["domains"])


def test_scenario_tests_sign_the_same_types() -> None:
    """They have an environment of their own, without this package's, and so a copy of the types."""
    types: dict[str, Any] = runpy.run_path(str(ROOT / "tests/contracts/typed_data.py"))["TYPES"]
    copied = {name: members for name, members in types.items() if name != "EIP712Domain"}
    assert set(copied) <= set(STRUCTS)
    for name, members in copied.items():
        inside = ",".join(f"{member['type']} {member['name']}" for member in members)
        assert encode_type(name).startswith(f"{name}({inside})"), name
