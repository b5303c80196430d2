"""Storage made again from events alone equals that of every contract, and any change of it is found."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from typer.testing import CliRunner, Result

from backend.adapters.ledger.abi import CONTRACTS, artifact
from backend.adapters.ledger.deployment_file import MarketTerms, write_deployment
from backend.adapters.ledger.errors import DeploymentIncomplete, WrongChain
from backend.adapters.ledger.rebuild.ledger_state import LedgerState
from backend.adapters.ledger.rebuild.trie import storage_root
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.cli import app
from backend.errors import LedgerUnavailable
from backend.explorer.node import Node
from backend.explorer.verify import verify
from backend.types import BlockNumber
from scripts.compile import ROOT, SETTINGS, SOLC_VERSION, install_compiler
from tests.support.ledger_story import Story, told_story

NEVER_HAPPENS = "EIP712DomainChanged"  # OpenZeppelin declares it; nothing of ours emits it
TOKENS = "tests/forge/support/Tokens.sol"


@pytest.fixture(scope="module")
def token_code() -> bytes:
    """Creation code of the honest token that the tests of the market use."""
    install_compiler()
    import solcx  # noqa: PLC0415 - it looks for compilers when imported

    request = {
        "language": "Solidity",
        "sources": {TOKENS: {"content": (ROOT / TOKENS).read_text()}},
        "settings": {
            "evmVersion": "paris",
            "remappings": SETTINGS["remappings"],
            "outputSelection": {TOKENS: {"Token": ["evm.bytecode.object"]}},
        },
    }
    output = solcx.compile_standard(request, solc_version=SOLC_VERSION, base_path=str(ROOT))
    return bytes.fromhex(output["contracts"][TOKENS]["Token"]["evm"]["bytecode"]["object"])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, token_code: bytes) -> Iterator[Story]:
    with told_story(tmp_path_factory.mktemp("chain"), token_code) as made:
        yield made


class Network(Rpc):
    """The story's anvil, answering as a node of a network does: true storage roots, few logs at a time."""

    most_blocks = 50
    refused: tuple[str, ...] = ()

    def call(self, method: str, *params: Any) -> Any:
        if method in self.refused:
            raise RpcError(-32601, "the method does not exist", None)
        if method == "web3_clientVersion":
            return "besu/v25.1.0"
        if method == "eth_getLogs":
            query = params[0]
            if int(query["toBlock"], 16) - int(query["fromBlock"], 16) >= self.most_blocks:
                raise RpcError(-32005, "range too large", None)
        return super().call(method, *params)

    def batch(self, calls: Any) -> list[Any]:
        if any(method in self.refused for method, _ in calls):
            calls = [call for call in calls if call[0] not in self.refused]
            refusal = RpcError(-32601, "the method does not exist", None)
            return [*super().batch(calls), *[refusal] * len(CONTRACTS)]
        answers = super().batch(calls)
        for (method, parameters), answer in zip(calls, answers, strict=True):
            if method == "eth_getProof":
                words = listing(super().call, parameters[0])
                answer["storageHash"] = "0x" + storage_root(words.items()).hex()
        return answers


class NetworkWithoutProofs(Network):
    refused = ("eth_getProof",)


def listing(ask: Callable[..., Any], address: str) -> dict[int, int]:
    """Return every word that an anvil stores of a contract and that is not empty."""
    dumped = json.loads(gzip.decompress(bytes.fromhex(ask("anvil_dumpState")[2:])))
    words = dumped["accounts"].get(address.lower(), {"storage": {}})["storage"]
    return {int(slot, 16): int(value, 16) for slot, value in words.items() if int(value, 16)}


def url_of(story: Story) -> str:
    return str(story.chain.rpc().provider.endpoint_uri)


def node_of(story: Story, kind: type[Rpc] = Rpc, **changes: Any) -> Node:
    deployment = replace(story.world.deployment, **changes)
    return Node(lambda: kind(url_of(story), timeout_seconds=20), deployment)


def cli(story: Story, *arguments: str) -> Result:
    where = ("--rpc", url_of(story), "--deployment", str(story.deployment_file))
    return CliRunner().invoke(app, ["ledger", *arguments, *where])


def replayed(story: Story) -> LedgerState:
    state = LedgerState()
    for timed in story.world.ledger.events.timed(BlockNumber(0), story.chain.view().head_number):
        state.apply(timed)
    return state


def words_of(story: Story, contract: str) -> dict[int, tuple[str, int]]:
    """Return what the events make of a contract: slot to name and value, empty words left out."""
    entries, layout = replayed(story).contracts[contract, 0].storage(), artifact(contract).layout
    return {entry.slot(layout): (str(entry), entry.value) for entry in entries if entry.value}


@contextmanager
def changed(story: Story, contract: str, slot: int, value: int) -> Iterator[None]:
    """Change one word of a contract's storage, and change it back."""
    address, ask = story.world.deployment.address(contract), story.chain.rpc().call
    before = ask("eth_getStorageAt", address, hex(slot), "latest")
    ask("anvil_setStorageAt", address, f"0x{slot:064x}", f"0x{value:064x}")
    try:
        yield
    finally:
        ask("anvil_setStorageAt", address, f"0x{slot:064x}", before)


# --- rebuild


def test_story_has_every_event_of_every_contract(story: Story) -> None:
    head = story.chain.view().head_number
    found = {(event.contract, event.name) for event in story.world.ledger.events.events(BlockNumber(0), head)}
    expected = {(name, event.name) for name in CONTRACTS for event in artifact(name).events.values()}
    assert {name for _, name in expected - found} == {NEVER_HAPPENS}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_storage_from_events_is_the_storage_of_the_chain(story: Story, contract: str) -> None:
    address = story.world.deployment.address(contract)
    stored = listing(story.chain.rpc().call, address)
    assert {slot: value for slot, (_, value) in words_of(story, contract).items()} == stored
    assert bool(stored) == (contract != "WitnessPairs")  # which keeps nothing


@pytest.mark.parametrize("kind", [Rpc, Network])
def test_verify_finds_storage_code_and_constants_equal_and_nothing_else_stored(
    story: Story, kind: type[Rpc]
) -> None:
    report = verify(node_of(story, kind), None)
    assert (report.differences, report.complete) == ([], True)
    assert {part.name: part.words for part in report.contracts} == {
        name: len(words_of(story, name)) for name in CONTRACTS
    }
    assert sum(part.events for part in report.contracts) > 120
    assert report.block == story.chain.view().head_number
    assert report.first_block == 1


@pytest.mark.parametrize("kind", [Rpc, NetworkWithoutProofs])
def test_verify_says_where_it_cannot_show_that_nothing_else_is_stored(story: Story, kind: type[Rpc]) -> None:
    block = BlockNumber(story.chain.view().head_number - 3)
    report = verify(node_of(story, kind), block)
    assert (report.differences, report.complete, report.block) == ([], False, block)
    assert not any(part.complete for part in report.contracts)


@pytest.mark.parametrize("kind", [Rpc, Network, NetworkWithoutProofs])
@pytest.mark.parametrize("contract", [name for name in CONTRACTS if name != "WitnessPairs"])  # keeps no word
def test_verify_names_a_word_that_the_events_do_not_make(
    story: Story, contract: str, kind: type[Rpc]
) -> None:
    slot, (name, value) = max(words_of(story, contract).items())
    with changed(story, contract, slot, value ^ 1):
        report = verify(node_of(story, kind), None)
    (difference,) = report.differences
    assert (difference.contract, difference.where) == (contract, name)
    assert (int(difference.chain, 16), int(difference.expected, 16)) == (value ^ 1, value)
    assert verify(node_of(story, kind), None).holds


@pytest.mark.parametrize("kind", [Rpc, Network])
@pytest.mark.parametrize("contract", CONTRACTS)
def test_verify_finds_a_word_at_a_place_that_no_event_names(
    story: Story, contract: str, kind: type[Rpc]
) -> None:
    slot = int.from_bytes(keccak(text="a place that nobody knows"))
    with changed(story, contract, slot, 5):
        report = verify(node_of(story, kind), None)
        blind = verify(node_of(story, NetworkWithoutProofs), None)
    (difference,) = report.differences
    assert difference.contract == contract
    assert "no event explains" in difference.where
    assert blind.holds  # which is why it says that it is not complete
    assert not blind.complete


def test_verify_finds_other_code_and_other_constants(story: Story) -> None:
    ask, address = story.chain.rpc().call, story.world.deployment.address("AuditAnchor")
    code = ask("eth_getCode", address, "latest")
    try:
        ask("anvil_setCode", address, code[:-2] + f"{int(code[-2:], 16) ^ 1:02x}")
        (difference,) = verify(node_of(story), None).differences
    finally:
        ask("anvil_setCode", address, code)
    assert (difference.contract, difference.where) == ("AuditAnchor", "code, immutables masked")


@pytest.mark.parametrize(
    ("changes", "contract", "view"),
    [
        ({"recovery_delay_seconds": 3}, "Recovery", "RECOVERY_DELAY"),
        ({"market_terms": MarketTerms(board_threshold=2)}, "ResearchMarket", "marketTerms"),
    ],
)
def test_verify_compares_what_the_deployment_file_says(
    story: Story, changes: dict[str, Any], contract: str, view: str
) -> None:
    (difference,) = verify(node_of(story, **changes), None).differences
    assert (difference.contract, difference.where) == (contract, view)


def test_verify_finds_contracts_that_do_not_belong_together(story: Story) -> None:
    contracts = dict(story.world.deployment.contracts)
    foreign = replace(contracts["AuditAnchor"], address=contracts["RecordRegistry"].address)
    report = verify(node_of(story, contracts={**contracts, "AuditAnchor": foreign}), None)
    (difference,) = report.differences
    assert (difference.contract, difference.where) == ("AuditAnchor", "code, immutables masked")
    assert {part.name for part in report.contracts} == set(CONTRACTS) - {"AuditAnchor"}
    assert not report.complete
    other_code = replace(contracts["AuditAnchor"], code_hash="0x" + "00" * 32)
    (difference,) = verify(
        node_of(story, contracts={**contracts, "AuditAnchor": other_code}), None
    ).differences
    assert difference.where == "code with its constants"


class Forgetful(Rpc):
    """A node that leaves an event out."""

    def call(self, method: str, *params: Any) -> Any:
        answer = super().call(method, *params)
        topic = "0x" + artifact("ConsentRegistry").topic("SubjectOpened").hex()
        if method == "eth_getLogs":
            return [log for log in answer if log["topics"][0] != topic]
        return answer


def test_verify_finds_that_a_node_left_events_out(story: Story) -> None:
    report = verify(node_of(story, Forgetful), None)
    (difference,) = report.differences
    assert "names what no earlier event made" in difference.chain
    assert not report.complete


# --- nodes


def test_node_of_another_chain_or_deployment_is_refused(story: Story) -> None:
    with pytest.raises(WrongChain):
        node_of(story, chain_id=1)
    with pytest.raises(WrongChain):
        node_of(story, genesis_hash="0x" + "00" * 32)
    some = {
        name: item for name, item in story.world.deployment.contracts.items() if name != "EmergencyAccess"
    }
    with pytest.raises(DeploymentIncomplete):
        node_of(story, contracts=some)
    with pytest.raises(LedgerUnavailable):
        verify(node_of(story), BlockNumber(10**6))


# --- commands


def test_verify_command_tells_by_its_exit_status(story: Story, tmp_path: Path) -> None:
    done = cli(story, "verify")
    assert (done.exit_code, done.stdout.splitlines()[-1].split(":")[0]) == (0, "EQUAL")
    slot, (name, value) = max(words_of(story, "ConsentRegistry").items())
    with changed(story, "ConsentRegistry", slot, value ^ 1):
        differs = cli(story, "verify")
        as_json = json.loads(cli(story, "verify", "--json").stdout)
    assert differs.exit_code == 1
    assert f"DIFFERS ConsentRegistry {name}" in differs.stdout
    assert (as_json["equal"], as_json["complete"], len(as_json["differences"])) == (False, True, 1)
    assert as_json["not_in_events"]
    write_deployment(tmp_path / "other.json", replace(story.world.deployment, chain_id=1))
    for arguments, code in (
        (["--rpc", url_of(story), "--deployment", str(tmp_path / "other.json")], "wrong_chain"),
        (["--rpc", url_of(story), "--deployment", str(tmp_path / "none.json")], "no_deployment"),
        (["--rpc", "http://127.0.0.1:1", "--deployment", str(story.deployment_file)], "ledger_unavailable"),
    ):
        refused = CliRunner().invoke(app, ["ledger", "verify", *arguments])
        assert (refused.exit_code, refused.stderr.split(":")[0]) == (2, code)


KINDS = {
    "subject": "subject", "permit": "permit", "deny": "deny", "refusal": "refusal",
    "delegation": "delegation", "child delegation": "delegation", "guardianship": "guardianship",
    "ahead": "permit", "recovered": "subject", "member": "member", "removed member": "member",
    "operation announced": "announced operation", "opening": "emergency opening",
    "late opening": "emergency opening", "commitment": "record version", "withdrawn": "record version",
    "transfer": "transfer of custody", "log": "audit log", "origin": "audit log",
    "study": "study", "refused": "study", "escrow": "escrow", "result": "result", "payout paid": "payout",
    "donation": "account", "payee": "account",
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_show_says_what_an_id_is_and_that_the_storage_agrees(story: Story, name: str) -> None:
    identity = "0x" + story.ids[name].hex()
    found = json.loads(cli(story, "show", identity, "--json", "--events", "0").stdout)
    assert {thing["kind"] for thing in found["things"]} == {KINDS[name]}
    assert found["storage"]["agrees"] is True
    assert found["storage"]["words"] or name == "origin"
    assert found["events_found"] == len(found["events"]) > 0
    for event in found["events"]:
        assert {"block", "time", "contract", "event", "transaction", "arguments", "text"} <= event.keys()
    told = cli(story, "show", identity)
    assert told.exit_code == 0
    assert f"{KINDS[name]} 0x" in told.stdout
    assert found["events"][-1]["transaction"] in told.stdout


def events_of(story: Story, identity: str, *more: str) -> list[str]:
    found = json.loads(cli(story, "show", identity, "--json", "--events", "0", *more).stdout)
    return [event["event"] for event in found["events"]]


def test_show_gathers_what_belongs_to_an_id_and_what_ends_it(story: Story) -> None:
    def of(name: str) -> list[str]:
        return events_of(story, "0x" + story.ids[name].hex())

    assert of("stopped") == ["ConsentGranted", "AllRevoked"]
    assert of("by delegate") == ["ConsentGranted", "DelegationEndedForCause"]
    assert of("superseded") == ["ConsentGranted", "ConsentRevoked"]
    assert {"EmergencyOpened", "EmergencyClosed", "EmergencyReviewed", "EmergencyPolicySet"} <= set(
        of("subject")
    )
    assert {"StudyPermitted", "EscrowFunded", "PayoutProposed", "PaymentClaimed"} <= set(of("study"))
    assert of("origin") == of("log")


def test_show_of_the_past_tells_what_was_true_then(story: Story) -> None:
    identity = "0x" + story.ids["superseded"].hex()
    now = json.loads(cli(story, "show", identity, "--json").stdout)
    granted, revoked = (event["block"] for event in now["events"])
    then = json.loads(cli(story, "show", identity, "--json", "--block", str(revoked - 1)).stdout)
    assert now["things"][0]["state"].startswith("Revoked")
    assert then["things"][0]["state"] == "Live"
    assert (then["block"], then["as_of"], len(then["events"])) == (revoked - 1, then["block_time"], 1)
    assert then["storage"]["agrees"] is None  # the embedded chain keeps few states; the events it keeps all
    before = cli(story, "show", identity, "--block", str(granted - 1))
    assert (before.exit_code, before.stderr.split(":")[0]) == (3, "ledger_id_unknown")


def test_show_finds_a_value_that_is_no_id_of_its_own(story: Story) -> None:
    done = cli(story, "show", "0x" + keccak(text="rules").hex())
    assert done.exit_code == 0
    assert "is no id of its own" in done.stdout
    assert "StudyPermitted" in done.stdout


def test_show_of_an_unknown_id_has_an_exit_status_of_its_own(story: Story) -> None:
    unknown = cli(story, "show", "0x" + "77" * 32)
    assert (unknown.exit_code, unknown.stderr.split(":")[0]) == (3, "ledger_id_unknown")
    wrong = cli(story, "show", "patient")
    assert (wrong.exit_code, wrong.stderr.split(":")[0]) == (2, "invalid_input")


def test_show_says_that_the_storage_is_another(story: Story) -> None:
    identity = story.ids["deny"]
    slot = next(
        slot for slot, (name, _) in words_of(story, "ConsentRegistry").items() if identity.hex() in name
    )
    with changed(story, "ConsentRegistry", slot, 1):
        done = cli(story, "show", "0x" + identity.hex())
    assert done.exit_code == 1
    assert "NOT as the events say" in done.stdout
