"""One id at one block: what it is, how it stands, every event about it, and whether the storage agrees."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.chain import Block
from backend.adapters.ledger.errors import BlockForgotten
from backend.adapters.ledger.rebuild.ledger_state import LedgerState
from backend.consent.ledger_types import LedgerEvent, TimedEvent, unpack_consent_slot
from backend.consent.terms import Kind
from backend.errors import InvalidInput
from backend.explorer.errors import LedgerIdUnknown
from backend.explorer.node import Node
from backend.explorer.thing import Constants, Thing, View
from backend.explorer.things import find
from backend.explorer.wording import ids_of
from backend.types import BlockNumber, to_hex

_WORD_BYTES: Final = 32
# Event: the ids it names an owner by, and the one that belongs to it; later events name only the second.
_BELONGS: Final = {
    "EmergencyOpened": (("subject",), "opening"),
    "CheckpointAnchored": (("origin",), "logId"),
    "EscrowFunded": (("study",), "escrow"),
    "PayoutProposed": (("escrow", "result"), "round"),
}
_ENDS_WITH_EPOCH: Final = (Kind.PERMIT, Kind.DELEGATION)
_RECORDED: Final = ("ConsentGranted", "DelegationRecorded")
Progress = Callable[[str], None]


@dataclass(slots=True)
class Shown:
    """``things``: the meanings of the id, none where it is only a value of events.

    ``as_of``: the second for which states are told. ``words``: how many of storage belong to the id.
    ``agrees``: whether the node stores in them what the events say; None where it no longer keeps that state.
    ``newest_generation``: the last one of the contracts that were succeeded.
    """

    word: bytes
    block: Block
    as_of: int
    things: list[Thing] = field(default_factory=list)
    events: list[TimedEvent] = field(default_factory=list)
    words: int = 0
    agrees: bool | None = None
    newest_generation: int = 0


def parse_id(text: str) -> bytes:
    """Read an id, a subject or an account as a word: at most 32 bytes of hex. Raise InvalidInput."""
    digits = text.strip().lower().removeprefix("0x")
    if not digits or len(digits) > 2 * _WORD_BYTES or set(digits) - set("0123456789abcdef"):
        raise InvalidInput(f"'{text}' is not an id: give at most 64 hex digits.", field="id")
    return int(digits, 16).to_bytes(_WORD_BYTES)


def show(node: Node, word: bytes, block: BlockNumber | None, progress: Progress = lambda _: None) -> Shown:
    """Return everything that the chain knows of an id at ``block``, or now.

    Raise LedgerIdUnknown, EventsContradict, ChainReorganised or LedgerUnavailable.
    """
    fixed = node.block(block)
    as_of = fixed.timestamp if block is not None else max(fixed.timestamp, int(time.time()))
    state, about = _read(node, word, fixed.number, progress)
    deployment = node.deployment
    constants = Constants(deployment.recovery_delay_seconds, deployment.market_terms.grace_seconds)
    things = find(View(state, constants, as_of, deployment.generation_at(fixed.number)), word)
    if not things and not about:
        raise LedgerIdUnknown(
            f"No contract of this deployment knows {to_hex(word)} up to block {fixed.number} of chain "
            f"{deployment.chain_id}."
        )
    newest = len(deployment.predecessors)
    shown = Shown(word, fixed, as_of, things, about, newest_generation=newest)
    _compare(node, state, shown)
    node.require_unchanged(fixed)
    return shown


def _read(
    node: Node, word: bytes, last: BlockNumber, progress: Progress
) -> tuple[LedgerState, list[TimedEvent]]:
    """Replay everything, and keep the events of the id, of what belongs to it and of what ends it."""
    state, about = LedgerState(len(node.deployment.predecessors) + 1), _About(word)
    for count, timed in enumerate(node.scan.timed(node.first_block, last), 1):
        state.apply(timed)
        about.take(timed)
        if count % 1000 == 0:
            progress(f"reading the events: {count}, block {timed.event.block_number} of {last}")
    return state, about.events


class _About:
    """Gathers the events about one id, in one pass: owners come before what they own."""

    def __init__(self, word: bytes) -> None:
        self.events: list[TimedEvent] = []
        self._word = word
        self._wanted = {word}
        self._endings: set[tuple[str, bytes]] = set()  # events that end the consent with this id
        self._since = 0  # the generations in which it is: from where it was recorded
        self._last = 0  # to where it was adopted last

    def take(self, timed: TimedEvent) -> None:
        name, ids = timed.event.name, ids_of(timed)
        arguments: Mapping[str, Any] = timed.event.arguments
        ends = self._reaches(timed.event) and not self._endings.isdisjoint((name, each) for each in ids)
        if self._wanted.isdisjoint(ids) and not ends:
            return
        self.events.append(timed)
        owners, owned = _BELONGS.get(name, ((), ""))
        if not self._wanted.isdisjoint(_words(arguments, owners)):
            self._wanted.add(arguments[owned])
        if name in _RECORDED and arguments["id"] == self._word:
            self._endings = set(_endings(arguments))
            self._since = self._last = timed.event.generation
        elif name == "ConsentAdopted":
            self._last = timed.event.generation
        elif name == "AllRevoked" and ends:  # the next one ends others
            self._endings = {ending for ending in self._endings if ending[0] != name}

    def _reaches(self, event: LedgerEvent) -> bool:
        """Return whether an ending in one generation ends the consent in that to which it was adopted."""
        since = 0 if event.name == "AllRevoked" else self._since
        return since <= event.generation <= self._last


def _endings(recorded: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield what would end this consent: an event, and the id that it names."""
    if unpack_consent_slot(recorded["slot"]).kind in _ENDS_WITH_EPOCH:
        yield "AllRevoked", recorded["subject"].to_bytes(_WORD_BYTES)
    if any(recorded.get("delegation", b"")):
        yield "DelegationEndedForCause", recorded["delegation"]


def _words(arguments: Mapping[str, Any], names: Sequence[str]) -> set[bytes]:
    values = [arguments[name] for name in names if name in arguments]
    return {value if isinstance(value, bytes) else value.to_bytes(_WORD_BYTES) for value in values}


def _compare(node: Node, state: LedgerState, shown: Shown) -> None:
    """Ask the node for every word of storage that belongs to the id."""
    agrees = True
    try:
        for place in node.places:
            layout = artifact(place.artifact).layout
            replayed = state.contracts[place.name, place.generation]
            own = [entry for entry in replayed.storage() if shown.word in entry.keys]
            expected = {entry.slot(layout): entry.value for entry in own}
            shown.words += len(expected)
            agrees &= node.words(place, list(expected), shown.block.number) == expected
    except BlockForgotten:
        return
    shown.agrees = agrees
