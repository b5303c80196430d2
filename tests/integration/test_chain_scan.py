"""No text, no code and no mask on the chain, over a scenario in which every function is called.

The scenario is the access world: its past, and then each row of the access matrix, by those who may and in
both ways, taken back one by one. So a new function is scanned as soon as it has the row that another test
asks for. Which fields the contracts have at all, and why, is ``tests/unit/contracts/test_open_fields.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from eth_utils.crypto import keccak

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.dump import RawTransaction, raw_dump
from backend.types import BlockNumber
from tests.support.access.building import access_world
from tests.support.access.cells import Cell, cell_of
from tests.support.access.columns import EVERYBODY
from tests.support.access.known import (
    CATEGORIES,
    MASKS,
    PATIENT,
    PURPOSES,
    RECORDS,
    codes,
    sealed,
    texts,
)
from tests.support.access.matrix import MATRIX, Way
from tests.support.access.node import changing_functions, deployed_contracts
from tests.support.access.world import ADMISSION_DELAY, AccessWorld
from tests.support.chain_scan import Scan
from tests.support.token import token_creation_code

# The operator's names for its own roles, and the test token's for itself; nobody else can write a string.
ALLOWED = ("admission", "admission of members", "Assent Test Token (no value)", "TEST")
EVERYTHING = Scan(texts=texts(), masks=MASKS, allowed=ALLOWED)


@dataclass
class Scenario:
    world: AccessWorld
    transactions: list[RawTransaction] = field(default_factory=list)

    def carry_out(self, cell: Cell) -> list[RawTransaction]:
        """Send, read what it left on the chain, and take it back."""
        with self.world.node.taken_back():
            block = BlockNumber(int(self.world.node.send(cell.message)["blockNumber"], 16))
            return list(raw_dump(self.world.node.rpc, block, block))


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    with access_world(tmp_path_factory.mktemp("scan"), whole_history=True) as world:
        made = Scenario(world)
        head = BlockNumber(int(world.node.ask("eth_blockNumber"), 16))
        past = raw_dump(world.node.rpc, BlockNumber(1), head)
        made.transactions += [each for each in past if each.calldata != token_creation_code()]
        for row in MATRIX:
            for cell in _some(world, row):
                made.transactions += made.carry_out(cell)
        yield made


def _some(world: AccessWorld, row: str) -> Iterator[Cell]:
    """Yield, as sender and by signature, up to three who may, and one whom a batch leaves out."""
    declared = MATRIX[row]
    for way in {Way.SENDER, Way.SIGNED} & set(declared.ways()):
        may = [column for column in sorted(EVERYBODY) if declared.refusal(column, way) is None]
        left_out = ["stranger"] if declared.rejection and "stranger" not in may else []
        for column in may[:3] + left_out:
            yield cell_of(world, row, column, way)


def test_nothing_that_people_know_is_on_the_chain(scenario: Scenario) -> None:
    assert EVERYTHING.findings(scenario.transactions) == []


def test_scenario_calls_every_function(scenario: Scenario) -> None:
    called = {each.calldata[:4] for each in scenario.transactions}
    missing = [
        f"{contract}.{name}"
        for contract in deployed_contracts()
        for name in changing_functions(contract)
        if artifact(contract).functions[name].selector not in called
    ]
    # Called by the register of participants alone, from inside each scheduled call.
    assert missing == ["AccessManager.consumeScheduledOp"]


def test_scenario_has_every_event(scenario: Scenario) -> None:
    seen = {log.topics[0] for each in scenario.transactions for log in each.logs}
    missing = {
        event.name
        for contract in deployed_contracts()
        for topic, event in artifact(contract).events.items()
        if topic not in seen
    }
    assert missing == {"EIP712DomainChanged"}  # of the standard; no contract of ours ever changes its domain


_RECORD = next(iter(RECORDS.values()))
_CODE = min(code for code in codes() if len(code) == 3)


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        (PATIENT.encode().ljust(32, b"\0"), f"the text {PATIENT!r}"),
        (_CODE.encode().ljust(32, b"\0"), f"the text {_CODE!r}"),
        (_CODE.encode().rjust(32, b"\0"), f"the text {_CODE!r}"),
        (keccak(text=_RECORD), f"the bare hash of the text {_RECORD!r}"),
        (hashlib.sha256(_CODE.encode()).digest(), f"the bare hash of the text {_CODE!r}"),
        (keccak(text=PATIENT)[:20].ljust(32, b"\1"), f"the bare hash of the text {PATIENT!r}"),
        (PURPOSES.to_bytes(32), "the mask of purposes"),
        (b"\1" * 3 + CATEGORIES.to_bytes(8) + b"\1" * 21, "the mask of categories"),
        (keccak(PURPOSES.to_bytes(32)), "the bare hash of the mask of purposes"),
        (b"anything at all".rjust(32, b"\0"), "the letters b'anything at all'"),
        (b"words that fill a word entirely.", "the letters b'words that fill a word entirely.'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_scan_finds_what_somebody_puts_into_a_free_field(
    scenario: Scenario, planted: bytes, found: str
) -> None:
    world = scenario.world
    data = world.data("RecordRegistry", "commit", planted)
    message = (world.account("custodian"), world.contracts["RecordRegistry"], data)
    findings = EVERYTHING.findings(scenario.carry_out(Cell("custodian", Way.SENDER, message, None)))
    for place in ("calldata", "topic of event 0"):
        assert any(f"{place}: {found}" in finding for finding in findings), findings


def test_scan_looks_into_storage_and_events(scenario: Scenario) -> None:
    world = scenario.world
    cell = cell_of(world, "ParticipantRegistry.amend", "operator", Way.SENDER)
    sender, target, data = cell.message
    assert sealed("credential") in data
    planted = data.replace(sealed("credential"), keccak(text=PATIENT))
    with world.node.taken_back():
        schedule = world.data("AccessManager", "schedule", target, planted, 0)
        world.node.send((sender, world.contracts["AccessManager"], schedule))
        world.node.jump(2 * ADMISSION_DELAY)
        found = EVERYTHING.findings(scenario.carry_out(replace(cell, message=(sender, target, planted))))
    for place in ("calldata", "event 1", "storage"):
        assert any(f"{place}: the bare hash of the text {PATIENT!r}" in each for each in found), found
