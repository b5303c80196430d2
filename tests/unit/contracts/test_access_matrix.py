"""The access matrix has a row for every external function and a column for every role."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.access import cells  # noqa: F401 - all attempts are registered with it
from tests.support.access.attempt import ATTEMPTS
from tests.support.access.columns import EVERYBODY, ROLES
from tests.support.access.matrix import MATRIX, function_of
from tests.support.access.node import abi, changing_functions, deployed_contracts

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"


@pytest.mark.parametrize("contract", deployed_contracts())
def test_every_function_that_changes_something_has_a_row(contract: str) -> None:
    functions = Counter(changing_functions(contract))
    overloaded = [name for name, times in functions.items() if times > 1]
    assert not overloaded, f"{contract}: rows go by name, so give {overloaded} names of their own"
    listed = {row.split(".")[1] for row in map(function_of, MATRIX) if row.startswith(f"{contract}.")}
    missing = sorted(f"{contract}.{name}" for name in functions.keys() - listed)
    assert not missing, (
        f"no row says who may call {missing}: add one to tests/support/access/matrix.py, an attempt to the "
        "*_attempts.py beside it, and the function to docs/contracts.md"
    )
    gone = sorted(listed - functions.keys())
    assert not gone, f"{contract} has no {gone} any more: take the rows away"


def test_no_contract_takes_calls_that_name_no_function() -> None:
    for contract in deployed_contracts():
        assert not [part for part in abi(contract) if part["type"] in ("fallback", "receive")], contract


def test_every_row_has_its_attempt() -> None:
    assert ATTEMPTS.keys() == MATRIX.keys()


def test_every_role_has_a_column() -> None:
    missing = sorted(_roles() - ROLES.keys())
    assert not missing, (
        f"nobody has {missing} in the access matrix: add a column to tests/support/access/columns.py, make "
        "it in world.py or situation.py, and say in matrix.py what it may"
    )
    assert not sorted(ROLES.keys() - _roles()), "roles that the contracts do not know any more"
    assert {column for columns in ROLES.values() for column in columns} <= EVERYBODY


def test_rows_speak_of_columns_that_exist() -> None:
    for row, declared in MATRIX.items():
        named = set(declared.sender) | set(declared.signed or ()) | set(declared.others)
        assert named <= EVERYBODY, f"{row}: {sorted(named - EVERYBODY)}"
        assert declared.refused or declared.sender == EVERYBODY, f"{row} names no error"


def _roles() -> set[str]:
    """Return every role, power, kind of delegation and standing that the sources declare."""
    found = {"AccessManager.ADMIN_ROLE"}
    for library, pattern in (
        ("libraries/Roles", r"uint16 internal constant (\w+)"),
        ("libraries/Powers", r"uint16 internal constant (\w+)"),
        ("ParticipantRegistry", r"uint64 public constant (\w+)"),
    ):
        names = re.findall(pattern, (CONTRACTS / f"{library}.sol").read_text(encoding="utf-8"))
        found |= {f"{Path(library).name}.{name}" for name in names if name != "ALL"}
    kinds = (CONTRACTS / "libraries/Kinds.sol").read_text(encoding="utf-8")
    (delegating,) = re.findall(r"function isDelegation.*?return (.*?);", kinds, re.DOTALL)
    found |= {f"Kinds.{name}" for name in re.findall(r"== ([A-Z]+)", delegating)}
    interface = (CONTRACTS / "interfaces/IParticipantRegistry.sol").read_text(encoding="utf-8")
    (standings,) = re.findall(r"enum Standing \{(.*?)\}", interface, re.DOTALL)
    found |= {f"Standing.{name}" for name in re.findall(r"^\s*([A-Z]\w+),?$", standings, re.MULTILINE)}
    return found
