"""Whether the chain stores exactly what its events say: the state is made again from them and compared.

A storage root is the comparison of everything at once: equal roots leave no room for a word that no event
explains. Where they differ the words are asked one by one to name them. anvil counts words that are empty
again into its roots, so there its own listing of the storage is compared instead.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Final

from web3 import Web3

from backend.adapters.ledger.abi import CONTRACTS, artifact, decode_or_none
from backend.adapters.ledger.errors import EventsContradict
from backend.adapters.ledger.rebuild.ledger_state import LedgerState
from backend.adapters.ledger.rebuild.trie import storage_root
from backend.adapters.ledger.rebuild.words import Entry
from backend.adapters.ledger.rpc import RpcError
from backend.errors import LedgerUnavailable
from backend.explorer.node import Node
from backend.types import BlockNumber, Bytes32, UnixSeconds, to_hex

# Which contract names which other in its code; masking the immutables hides that.
LINKS: Final = (
    ("ParticipantRegistry", "authority", "AccessManager"),
    ("ConsentRegistry", "PARTICIPANTS", "ParticipantRegistry"),
    ("ConsentRegistry", "RECOVERY", "Recovery"),
    ("Recovery", "REGISTRY", "ConsentRegistry"),
    ("Recovery", "PARTICIPANTS", "ParticipantRegistry"),
    ("RecordRegistry", "PARTICIPANTS", "ParticipantRegistry"),
    ("AuditAnchor", "PARTICIPANTS", "ParticipantRegistry"),
    ("ResearchMarket", "PARTICIPANTS", "ParticipantRegistry"),
    ("EmergencyAccess", "PARTICIPANTS", "ParticipantRegistry"),
    ("EmergencyAccess", "CONSENTS", "ConsentRegistry"),
    ("KeyRegistry", "CONSENTS", "ConsentRegistry"),
    ("KeyRegistry", "RECOVERY", "Recovery"),
)
NOT_IN_EVENTS: Final = (
    "Number and time of an anchor and the time of a result come from the event's block, not from the event.",
    "The study that an account is paid for follows from its first payment; no event says it.",
    "How the AccessManager stores a changed delay depends on the time of the change, which is its block's.",
)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """One word, constant or code that is not what it should be. Words as 0x hex."""

    contract: str
    where: str
    chain: str
    expected: str


@dataclass(slots=True)
class ContractReport:
    """``words``: made by the events, not empty. ``complete``: it is shown that nothing else is stored."""

    name: str
    address: str
    events: int = 0
    words: int = 0
    complete: bool = False


@dataclass(slots=True)
class VerifyReport:
    """What was compared at one block."""

    chain_id: int
    block: BlockNumber
    block_hash: Bytes32
    time: UnixSeconds
    first_block: BlockNumber
    contracts: list[ContractReport] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.differences

    @property
    def complete(self) -> bool:
        return len(self.contracts) == len(CONTRACTS) and all(each.complete for each in self.contracts)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the node says of one contract. ``root`` or ``listing`` None where it does not say."""

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
        node.deployment.chain_id, fixed.number, fixed.hash, fixed.timestamp, node.first_block
    )
    facts = _facts(node, fixed.number, listings, has_roots=not is_anvil)
    _compare_code(node, facts, report)
    foreign = {difference.contract for difference in report.differences}
    ours = [name for name in CONTRACTS if name not in foreign]  # what others emit or store means nothing here
    _compare_constants(node, ours, report)
    progress("reading the events")
    try:
        state = _replay(node, ours, fixed.number, progress)
    except EventsContradict as error:
        report.differences.append(
            Difference("events", "order", error.detail, "events that follow upon each other")
        )
        return report
    for name in ours:
        progress(f"comparing {name}")
        part = ContractReport(name, node.deployment.address(name), events=state.events[name])
        report.contracts.append(part)
        _compare_storage(node, part, list(state.contracts[name].storage()), facts[name], report)
    node.require_unchanged(fixed)
    return report


def _replay(node: Node, names: Sequence[str], last: BlockNumber, progress: Progress) -> LedgerState:
    state = LedgerState()
    for count, timed in enumerate(node.scan_of(names).timed(node.first_block, last), 1):
        state.apply(timed)
        if count % 1000 == 0:
            progress(f"reading the events: {count}, block {timed.event.block_number} of {last}")
    return state


def _facts(
    node: Node, number: BlockNumber, listings: Mapping[str, Mapping[int, int]] | None, *, has_roots: bool
) -> dict[str, _Facts]:
    """Ask for code and storage roots in one request, before the node forgets the block."""
    addresses = [node.deployment.address(name) for name in CONTRACTS]
    calls: list[tuple[str, Sequence[Any]]] = [("eth_getCode", [each, hex(number)]) for each in addresses]
    calls += [("eth_getProof", [each, [], hex(number)]) for each in addresses]
    answers = node.rpc().batch(calls)
    found = {}
    for name, address, code, proof in zip(
        CONTRACTS, addresses, answers[: len(addresses)], answers[len(addresses) :], strict=True
    ):
        if isinstance(code, RpcError):
            raise LedgerUnavailable(f"The node does not show block {number}: {code.message}.")
        root = None
        if has_roots and proof is not None and not isinstance(proof, RpcError):
            root = bytes.fromhex(proof["storageHash"][2:])
        listing = None if listings is None else listings.get(address.lower(), {})
        found[name] = _Facts(bytes.fromhex(code[2:]), root, listing)
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


def _compare_code(node: Node, facts: Mapping[str, _Facts], report: VerifyReport) -> None:
    for name in CONTRACTS:
        compiled, code = artifact(name), facts[name].code
        if compiled.masked(code) != compiled.runtime:
            shown = _hash(compiled.masked(code)), _hash(compiled.runtime)
            report.differences.append(Difference(name, "code, immutables masked", *shown))
        elif _hash(code) != node.deployment.contracts[name].code_hash:
            shown = _hash(code), node.deployment.contracts[name].code_hash
            report.differences.append(Difference(name, "code with its constants", *shown))


def _compare_constants(node: Node, ours: Sequence[str], report: VerifyReport) -> None:
    """Compare what the constructors fixed with the deployment file, each asked of the contract itself."""
    deployment = node.deployment
    expected: list[tuple[str, str, Any]] = [
        (contract, view, deployment.address(other)) for contract, view, other in LINKS
    ]
    expected.append(("Recovery", "RECOVERY_DELAY", deployment.recovery_delay_seconds))
    expected.append(("ResearchMarket", "marketTerms", astuple(deployment.market_terms)))
    for contract, view, value in expected:
        if contract not in ours:
            continue
        function = artifact(contract).functions[view]
        call = {"to": deployment.address(contract), "data": to_hex(function.encode(()))}
        answer = bytes.fromhex(node.ask("eth_call", call, hex(report.block))[2:])
        found = decode_or_none(function.outputs, answer)
        shown = "no usable answer" if found is None else str(found[0])
        if shown.lower() != str(value).lower():
            report.differences.append(Difference(contract, view, shown, str(value)))


def _compare_storage(
    node: Node, part: ContractReport, entries: Sequence[Entry], facts: _Facts, report: VerifyReport
) -> None:
    layout = artifact(part.name).layout
    names = {entry.slot(layout): str(entry) for entry in entries}
    expected = {entry.slot(layout): entry.value for entry in entries}
    part.words = sum(1 for value in expected.values() if value)
    if facts.root == storage_root(expected.items()):
        part.complete = True
        return
    if facts.listing is None:
        actual = node.words(part.name, list(expected), report.block)
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
