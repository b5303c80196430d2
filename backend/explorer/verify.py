"""Whether the chain stores exactly what its events say: the state is made again from them and compared.

A storage root is the comparison of everything at once: equal roots leave no room for a word that no event
explains. Where they differ the words are asked one by one to name them. anvil counts words that are empty
again into its roots, so there its own listing of the storage is compared instead.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from web3 import Web3

from backend.adapters.ledger.abi import CONTRACTS, artifact
from backend.adapters.ledger.constants import differing_constants
from backend.adapters.ledger.deployment_file import Place
from backend.adapters.ledger.errors import EventsContradict
from backend.adapters.ledger.rebuild.ledger_state import LedgerState
from backend.adapters.ledger.rebuild.trie import storage_root
from backend.adapters.ledger.rebuild.words import Entry
from backend.adapters.ledger.rpc import RpcError
from backend.errors import LedgerUnavailable
from backend.explorer.node import Node
from backend.types import BlockNumber, Bytes32, UnixSeconds, to_hex

NOT_IN_EVENTS: Final = (
    "Number and time of an anchor and the time of a result come from the event's block, not from the event.",
    "The study that an account is paid for follows from its first payment; no event says it.",
    "How the AccessManager stores a changed delay depends on the time of the change, which is its block's.",
)
AFTER_A_SUCCESSION: Final = (
    "The time of an adoption is its block's; the epoch there that a subject has caught up with, and the "
    "rounds there beside emergency policies and openings, are what the events of the contract before had "
    "made by then."
)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """One word, constant or code that is not what it should be. Words as 0x hex. ``contract``: its title."""

    contract: str
    where: str
    chain: str
    expected: str


@dataclass(slots=True)
class ContractReport:
    """``name``: as ``contract_title`` gives it. ``words``: made by the events, not empty. ``complete``: it is
    shown that nothing else is stored."""

    name: str
    address: str
    generation: int = 0
    events: int = 0
    words: int = 0
    complete: bool = False


@dataclass(slots=True)
class VerifyReport:
    """What was compared at one block. ``expected``: how many contracts there are; with foreign code they are
    left out of ``contracts``."""

    chain_id: int
    block: BlockNumber
    block_hash: Bytes32
    time: UnixSeconds
    first_block: BlockNumber
    expected: int = len(CONTRACTS)
    contracts: list[ContractReport] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.differences

    @property
    def not_in_events(self) -> tuple[str, ...]:
        """What follows from something else than the event that it was written with."""
        has_successors = any(each.generation for each in self.contracts)
        return (*NOT_IN_EVENTS, AFTER_A_SUCCESSION) if has_successors else NOT_IN_EVENTS

    @property
    def complete(self) -> bool:
        return len(self.contracts) == self.expected and all(each.complete for each in self.contracts)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the node says of one contract. ``root`` or ``listing`` None where it does not say."""

    place: Place
    code: bytes
    root: bytes | None
    listing: Mapping[int, int] | None


def verify(node: Node, block: BlockNumber | None, progress: Progress = lambda _: None) -> VerifyReport:
    """Compare at ``block``, or at the newest. Raise LedgerUnavailable where that cannot be done."""
    progress("reading the storage")
    is_anvil = _is_anvil(node)
    listed, listings = _listings(node) if is_anvil and block is None else (block, None)
    fixed = node.block(listed)
    report = VerifyReport(
        node.deployment.chain_id,
        fixed.number,
        fixed.hash,
        fixed.timestamp,
        node.first_block,
        expected=len(node.places),
    )
    facts = _facts(node, fixed.number, listings, has_roots=not is_anvil)
    _compare_code(node, facts, report)
    foreign = {difference.contract for difference in report.differences}
    # What others emit or store means nothing here.
    ours = [place for place in node.places if node.title(place) not in foreign]
    _compare_constants(node, ours, report)
    progress("reading the events")
    try:
        state = _replay(node, ours, fixed.number, progress)
    except EventsContradict as error:
        report.differences.append(
            Difference("events", "order", error.detail, "events that follow upon each other")
        )
        return report
    for place in ours:
        title, key = node.title(place), (place.name, place.generation)
        progress(f"comparing {title}")
        part = ContractReport(title, place.address, place.generation, events=state.events[key])
        report.contracts.append(part)
        _compare_storage(node, part, list(state.contracts[key].storage()), facts[place], report)
    node.require_unchanged(fixed)
    return report


def _replay(node: Node, places: Sequence[Place], last: BlockNumber, progress: Progress) -> LedgerState:
    state = LedgerState(len(node.deployment.predecessors) + 1)
    for count, timed in enumerate(node.scan_of(places).timed(node.first_block, last), 1):
        state.apply(timed)
        if count % 1000 == 0:
            progress(f"reading the events: {count}, block {timed.event.block_number} of {last}")
    return state


def _facts(
    node: Node, number: BlockNumber, listings: Mapping[str, Mapping[int, int]] | None, *, has_roots: bool
) -> dict[Place, _Facts]:
    """Ask for code and storage roots in one request, before the node forgets the block."""
    places = node.places
    addresses = [place.address for place in places]
    calls: list[tuple[str, Sequence[Any]]] = [("eth_getCode", [each, hex(number)]) for each in addresses]
    calls += [("eth_getProof", [each, [], hex(number)]) for each in addresses]
    answers = node.rpc().batch(calls)
    found = {}
    for place, code, proof in zip(places, answers[: len(places)], answers[len(places) :], strict=True):
        if isinstance(code, RpcError):
            raise LedgerUnavailable(f"The node does not show block {number}: {code.message}.")
        root = None
        if has_roots and proof is not None and not isinstance(proof, RpcError):
            root = bytes.fromhex(proof["storageHash"][2:])
        listing = None if listings is None else listings.get(place.address.lower(), {})
        found[place] = _Facts(place, bytes.fromhex(code[2:]), root, listing)
    return found


def _is_anvil(node: Node) -> bool:
    try:
        return str(node.rpc().call("web3_clientVersion")).startswith("anvil")
    except RpcError:
        return False  # a node may keep its version to itself


def _listings(node: Node) -> tuple[BlockNumber, dict[str, dict[int, int]]]:
    """Return an anvil's newest block and every contract's words in it."""
    dumped = json.loads(gzip.decompress(bytes.fromhex(node.ask("anvil_dumpState")[2:])))
    words = {
        address.lower(): {int(slot, 16): int(value, 16) for slot, value in account["storage"].items()}
        for address, account in dumped["accounts"].items()
    }
    return BlockNumber(int(dumped["block"]["number"], 16)), words


# --- comparing


def _compare_code(node: Node, facts: Mapping[Place, _Facts], report: VerifyReport) -> None:
    for place in node.places:
        compiled, code, title = artifact(place.artifact), facts[place].code, node.title(place)
        recorded = node.deployment.made(place).code_hash
        if compiled.masked(code) != compiled.runtime:
            shown = _hash(compiled.masked(code)), _hash(compiled.runtime)
            report.differences.append(Difference(title, "code, immutables masked", *shown))
        elif _hash(code) != recorded:
            report.differences.append(Difference(title, "code with its constants", _hash(code), recorded))


def _compare_constants(node: Node, ours: Sequence[Place], report: VerifyReport) -> None:
    """Compare what the constructors fixed with the deployment file, each asked of the contract itself."""

    def ask(address: str, data: bytes) -> bytes:
        call = {"to": address, "data": to_hex(data)}
        return bytes.fromhex(node.ask("eth_call", call, hex(report.block))[2:])

    for place in ours:
        for view, shown, expected in differing_constants(node.deployment, place, ask):
            report.differences.append(Difference(node.title(place), view, shown, expected))


def _compare_storage(
    node: Node, part: ContractReport, entries: Sequence[Entry], facts: _Facts, report: VerifyReport
) -> None:
    layout = artifact(facts.place.artifact).layout
    names = {entry.slot(layout): str(entry) for entry in entries}
    expected = {entry.slot(layout): entry.value for entry in entries}
    part.words = sum(1 for value in expected.values() if value)
    if facts.root == storage_root(expected.items()):
        part.complete = True
        return
    if facts.listing is None:
        actual = node.words(facts.place, list(expected), report.block)
        part.complete = facts.root is not None and facts.root == storage_root(actual.items())
        if facts.root is not None and not part.complete:
            shown = to_hex(facts.root), to_hex(storage_root(actual.items()))
            report.differences.append(
                Difference(part.name, "words that no event explains (storage root)", *shown)
            )
    else:
        actual = dict(facts.listing)
        part.complete = True
    for slot in sorted(expected.keys() | actual.keys()):
        before, found = expected.get(slot, 0), actual.get(slot, 0)
        if before != found:
            where = names.get(slot, f"slot {_hex(slot)}, which no event explains")
            report.differences.append(Difference(part.name, where, _hex(found), _hex(before)))


def _hex(word: int) -> str:
    return f"0x{word:064x}"


def _hash(code: bytes) -> str:
    return Web3.keccak(code).to_0x_hex()
