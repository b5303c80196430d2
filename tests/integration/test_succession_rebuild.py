"""Storage of succeeded contracts is made again from events, and so is what each of them answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from typer.testing import CliRunner, Result

from backend.adapters.ledger.abi import CONTRACTS, artifact
from backend.adapters.ledger.deployment_file import SUCCEEDED, Place, write_deployment
from backend.adapters.ledger.events import EventScan
from backend.adapters.ledger.past import EventLedger
from backend.adapters.ledger.rebuild.ledger_state import LedgerState
from backend.adapters.ledger.rpc import Rpc
from backend.cli import app
from backend.explorer.node import Node
from backend.explorer.verify import verify
from backend.types import BlockNumber
from tests.support.ledger_world import HOSPITAL
from tests.support.succession_story import (
    CHILD,
    EMPTY,
    LATE,
    NEW,
    PATIENT,
    RECOVERED,
    STOPPER,
    Noted,
    SuccessionStory,
    succeeded_story,
)

GENERATIONS = 3
PLACES = [
    (name, generation)
    for name in CONTRACTS
    for generation in (range(GENERATIONS) if name in SUCCEEDED else (0,))
]
KEPT = [key for key in PLACES if key[0] in SUCCEEDED]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuccessionStory]:
    with succeeded_story(tmp_path_factory.mktemp("chain")) as made:
        yield made


@pytest.fixture(scope="module")
def state(story: SuccessionStory) -> LedgerState:
    found = LedgerState(GENERATIONS)
    for timed in scan_of(story).timed(BlockNumber(0), story.chain.view().head_number):
        found.apply(timed)
    return found


def scan_of(story: SuccessionStory) -> EventScan:
    return EventScan(chain=story.chain, contracts=story.deployment.places())


def url_of(story: SuccessionStory) -> str:
    return str(story.chain.rpc().provider.endpoint_uri)


def node_of(story: SuccessionStory, kind: type[Rpc] = Rpc) -> Node:
    return Node(lambda: kind(url_of(story), timeout_seconds=20), story.deployment)


def place_of(story: SuccessionStory, name: str, generation: int) -> Place:
    return next(place for place in story.deployment.places(name) if place.generation == generation)


def title(name: str, generation: int) -> str:
    is_former = name in SUCCEEDED and generation < GENERATIONS - 1
    return f"{name} (succeeded, {generation + 1} of {GENERATIONS})" if is_former else name


# --- verify


def test_verify_finds_every_generation_equal_and_nothing_else_stored(story: SuccessionStory) -> None:
    report = verify(node_of(story), None)
    assert (report.differences, report.complete) == ([], True)
    assert [part.name for part in report.contracts] == [title(*key) for key in PLACES]
    assert all(part.words for part in report.contracts if part.name.split()[0] in SUCCEEDED)
    words = {(part.name, part.generation): part.events for part in report.contracts}
    assert sum(words.values()) > 200


def test_verify_of_a_block_asks_the_words_of_every_generation(story: SuccessionStory) -> None:
    block = BlockNumber(story.chain.view().head_number - 2)
    report = verify(node_of(story), block)
    assert (report.differences, report.complete) == ([], False)


@contextmanager
def changed(story: SuccessionStory, place: Place, slot: int, value: int) -> Iterator[None]:
    """Change one word of a contract's storage, and change it back."""
    ask = story.chain.rpc().call
    before = ask("eth_getStorageAt", place.address, hex(slot), "latest")
    ask("anvil_setStorageAt", place.address, f"0x{slot:064x}", f"0x{value:064x}")
    try:
        yield
    finally:
        ask("anvil_setStorageAt", place.address, f"0x{slot:064x}", before)


@pytest.mark.parametrize(("name", "generation"), KEPT)
def test_verify_names_a_forged_word_in_every_generation(
    story: SuccessionStory, state: LedgerState, name: str, generation: int
) -> None:
    place = place_of(story, name, generation)
    layout = artifact(place.artifact).layout
    last_of_each = {entry.variable: entry for entry in state.contracts[name, generation].storage()}
    for entry in last_of_each.values():
        with changed(story, place, entry.slot(layout), entry.value ^ 1):
            report = verify(node_of(story), None)
        assert [(each.contract, each.where) for each in report.differences] == [
            (title(name, generation), str(entry))
        ]
    with changed(story, place, int.from_bytes(keccak(text="a place that nobody knows")), 5):
        (difference,) = verify(node_of(story), None).differences
    assert "no event explains" in difference.where
    assert difference.contract == title(name, generation)


class ElsewherePreceded(Rpc):
    """A node on which each contract names another predecessor."""

    def call(self, method: str, *params: Any) -> Any:
        selector = artifact("SucceedingKeyRegistry").functions["PREDECESSOR"].selector
        if method == "eth_call" and params[0]["data"] == "0x" + selector.hex():
            return "0x" + "00" * 32
        return super().call(method, *params)


def test_verify_asks_each_contract_for_the_one_before_it(story: SuccessionStory) -> None:
    found = verify(node_of(story, ElsewherePreceded), None).differences
    with_predecessor = ("ConsentRegistry", "EmergencyAccess", "KeyRegistry")
    assert [(each.contract, each.where) for each in found] == [
        (title(name, generation), "PREDECESSOR") for name in with_predecessor for generation in (1, 2)
    ]


def test_nothing_is_scanned_where_no_contract_is_ours(story: SuccessionStory) -> None:
    head = story.chain.view().head_number
    assert list(node_of(story).scan_of([]).events(BlockNumber(0), head)) == []


# --- the views, at every block


def replayed_until(story: SuccessionStory) -> Iterator[tuple[Noted, LedgerState]]:
    """Yield what was noted after each step with the state that the events until then make."""
    state = LedgerState(GENERATIONS)
    events = list(scan_of(story).timed(BlockNumber(0), story.chain.view().head_number))
    for noted in story.noted:
        while events and events[0].event.block_number <= noted.block:
            state.apply(events.pop(0))
        yield noted, state


def test_evidence_from_events_is_what_each_registry_answered_after_every_step(story: SuccessionStory) -> None:
    compared, generations = 0, set()
    for noted, state in replayed_until(story):
        subject, slots = state.generations[noted.generation].consents.evidence(noted.subject, noted.ids)
        assert words_of(noted.evidence) == [subject, 64, len(slots), *slots], noted
        compared += len(slots)
        generations.add(noted.generation)
    assert compared > 5000
    assert generations == set(range(GENERATIONS))


def test_policies_and_keys_from_events_are_what_was_answered_after_every_step(story: SuccessionStory) -> None:
    for noted, state in replayed_until(story):
        contracts = state.generations[noted.generation]
        assert words_of(noted.policy) == list(contracts.emergencies.policy(noted.subject)), noted
        if noted.key is not None:
            key = contracts.keys.key(noted.subject)
            expected = [int.from_bytes(key.key_hash), key.sequence, key.bound_at]
            assert words_of(noted.key) == expected, noted


def test_openings_and_policies_of_the_past_are_what_the_contracts_say(
    story: SuccessionStory, state: LedgerState
) -> None:
    head = story.chain.view()
    openings = {each for some in state.generations for each in some.emergencies.openings}
    assert len(openings) >= 6
    for side in story.sides:
        emergencies = state.generations[side.generation].emergencies
        for opening in openings & emergencies.openings.keys():
            found = emergencies.openings[opening]
            has_role = state.participants.has_role(found.responder, 32, head.head_timestamp)
            is_open = not emergencies.is_over(found, head.head_timestamp) and has_role
            assert side.emergencies.is_open(opening, block=head.head_number) == is_open
        for subject in (PATIENT, STOPPER, NEW, EMPTY):
            for noted in story.noted[::20]:
                time = noted.time
                expected = side.emergencies.policy_at(subject, time, block=head.head_number)
                assert emergencies.policy_at(subject, time) == expected


def words_of(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 32]) for at in range(0, len(data), 32)]


def test_past_facts_are_those_of_the_registry_that_counted_then(story: SuccessionStory) -> None:
    events = EventLedger(scan_of(story), story.deployment)
    counted = [each for each in story.noted if story.deployment.generation_at(each.block) == each.generation]
    some = [each for each in counted if each.subject in (PATIENT, STOPPER)][::12]
    assert {each.generation for each in some} == set(range(GENERATIONS))
    for noted in some:
        found = events.facts(noted.subject, noted.ids, [HOSPITAL], block=noted.block)
        expected = story.sides[noted.generation].consents.read_evidence(noted.evidence, noted.ids)
        assert found.subject == expected
        assert found.members[HOSPITAL].standing == 1
    for generation, part in enumerate(story.deployment.predecessors):
        assert story.deployment.generation_at(part.until - 1) == generation
        assert story.deployment.generation_at(part.until) == generation + 1


# --- show


@pytest.fixture(scope="module")
def deployment_file(story: SuccessionStory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "deployment.json"
    write_deployment(path, story.deployment)
    return path


def cli(story: SuccessionStory, deployment: Path, *arguments: str) -> Result:
    where = ("--rpc", url_of(story), "--deployment", str(deployment))
    return CliRunner().invoke(app, ["ledger", *arguments, *where])


def shown(story: SuccessionStory, deployment: Path, identity: bytes, *more: str) -> Any:
    done = cli(story, deployment, "show", "0x" + identity.hex(), "--json", "--events", "0", *more)
    return json.loads(done.stdout)


def test_verify_command_names_those_that_were_succeeded(
    story: SuccessionStory, deployment_file: Path
) -> None:
    told = cli(story, deployment_file, "verify")
    assert told.exit_code == 0
    assert "ConsentRegistry (succeeded, 1 of 3) " in told.stdout
    assert "note: The time of an adoption is its block's" in told.stdout
    parts = json.loads(cli(story, deployment_file, "verify", "--json").stdout)["contracts"]
    assert [(part["contract"], part["generation"]) for part in parts] == [
        (title(*key), key[1]) for key in PLACES
    ]


@pytest.mark.parametrize(
    ("name", "state", "events"),
    [
        ("permit 0", "Revoked", [("ConsentGranted", 0), ("ConsentRevoked", 0)]),
        ("permit 1", "Revoked", [("ConsentGranted", 0), ("ConsentRevoked", 0)]),
        ("permit 2", "Revoked", [("ConsentGranted", 0), ("ConsentRevoked", 1)]),
        ("refusal 1", "Live", [("ConsentGranted", 0), ("ConsentRevoked", 0)]),
        ("deny 2", "Revoked", [("ConsentGranted", 0), ("ConsentRevoked", 1)]),
        ("ahead", "Not", [("ConsentRevokedAhead", 0)]),
        ("only there", "Not", [("ConsentGranted", 0), ("AllRevoked", 0)]),
        ("only here", "Revoked", [("ConsentGranted", 1), ("AllRevoked", 1), ("ConsentRevoked", 1)]),
        ("other permit by carer 0", "Revoked", [("ConsentGranted", 0), ("DelegationEndedForCause", 0)]),
        ("by carer here", "Stopped:", [("ConsentGranted", 1), ("AllRevoked", 1)]),
        ("after it there", "Stopped:", [("ConsentGranted", 1), ("AllRevoked", 0)]),
    ],
)
def test_show_tells_of_a_consent_over_all_generations(
    story: SuccessionStory,
    deployment_file: Path,
    name: str,
    state: str,
    events: Sequence[tuple[str, int]],
) -> None:
    found = shown(story, deployment_file, story.ids[name])
    (thing,) = found["things"]
    assert thing["state"].split()[0] == state
    assert ("taken over" in thing) == (state != "Not")
    assert found["storage"]["agrees"] is True
    told = [(each["event"], each["generation"]) for each in found["events"]]
    assert [each for each in told if each[0] != "ConsentAdopted"][: len(events)] == list(events)


def test_show_tells_where_a_subject_is_and_since_when(story: SuccessionStory, deployment_file: Path) -> None:
    def of(subject: int, *more: str) -> Any:
        return shown(story, deployment_file, subject.to_bytes(32), *more)["things"][0]

    assert of(PATIENT)["state"] == "open"
    assert "taken over" in of(PATIENT)
    assert of(LATE)["state"].startswith("open, in the registry that was succeeded")
    assert of(CHILD)["state"] == "open, under guardians"
    assert of(RECOVERED)["controller"] != story.old.account.lower()
    first = story.deployment.predecessors[0]
    before = of(PATIENT, "--block", str(first.until - 1))
    assert "taken over" not in before
    assert before["encryption key"].split(", bound")[0].endswith("number 2")
    assert before["emergency policy"].startswith("allow, since")
    assert before["consents ever recorded"] == len(before["consents"]) - 1  # and one revoked ahead
    assert of(PATIENT)["encryption key"] == "none: withdrawn up to number 4"


def test_show_tells_of_openings_in_every_generation(story: SuccessionStory, deployment_file: Path) -> None:
    for name in ("opening before", "opening", "opening there"):
        found = shown(story, deployment_file, story.ids[name])
        assert [thing["kind"] for thing in found["things"]] == ["emergency opening"]
        assert found["storage"]["agrees"] is True
    told = cli(story, deployment_file, "show", "0x" + story.ids["opening there"].hex()).stdout
    assert "EmergencyAccess (succeeded, 1 of 3).EmergencyOpened" in told
