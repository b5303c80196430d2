"""The list a patient sees: who looked, when, for which purpose, under which consent, and who was refused."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backend.audit.entry import AuditEvent
from backend.audit.errors import EntryDamaged, UnknownEntry
from backend.audit.leaf import FIRST_PREVIOUS, Leaf
from backend.audit.reader import EpochChain, LogReader
from backend.audit.seal import Before
from backend.audit.types import StoredEntry
from backend.types import LogIndex, SubjectId

_REMEMBERED: Final = 10_000  # chains, some 300 bytes each


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """One line of the list. ``event`` is None when what is stored of it is damaged."""

    index: LogIndex
    epoch: int
    sequence: int  # number of the entry in the patient's chain of this epoch, from 0
    recorded_at_ms: int  # unix milliseconds; 0 when the leaf is damaged
    leaf_hash: bytes
    event: AuditEvent | None


@dataclass(frozen=True, slots=True)
class AccessPage:
    entries: tuple[AccessEntry, ...]  # newest first
    next_before: LogIndex | None  # give it as ``before`` for the next page; None at the end
    total: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where the chain does not go on: an entry was left out or put in."""

    epoch: int
    expected_sequence: int
    index: LogIndex | None  # the entry found there instead; None when the chain ends too early


@dataclass(frozen=True, slots=True)
class _Sound:
    """The first ``count`` entries of a chain go on from one to the next, up to the leaf ``last``, and from
    ``ended``, the chain of the epoch before."""

    count: int
    last: bytes
    ended: Before | None


class AccessList:
    """``None`` as subject lists the system's own entries."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._sound: OrderedDict[bytes, _Sound] = OrderedDict()  # by pseudonym

    def page(self, subject: SubjectId | None, *, before: LogIndex | None, limit: int) -> AccessPage:
        """Return up to ``limit`` entries older than ``before`` (default: the newest).

        An index of someone else as ``before`` only cuts the list there; it tells nothing of that entry.
        Raises AuditUnavailable, Unavailable.
        """
        chains = [chain for chain in self._reader.chains(subject) if chain.indexes]
        entries: list[AccessEntry] = []
        for chain in reversed(chains):  # a later epoch's entries all come after an earlier one's
            end = len(chain.indexes) if before is None else bisect_left(chain.indexes, before)
            start = max(0, end - (limit - len(entries)))
            entries += self._lines(chain, start, end)
        oldest = chains[0].indexes[0] if chains else None
        more = entries[-1].index if entries and entries[-1].index != oldest else None
        return AccessPage(tuple(entries), more, sum(len(chain.indexes) for chain in chains))

    def find(self, subject: SubjectId | None, index: LogIndex) -> AccessEntry:
        """Return one entry of this subject. Raises UnknownEntry, also for entries of others."""
        for chain in self._reader.chains(subject):
            number = bisect_left(chain.indexes, index)
            if number < len(chain.indexes) and chain.indexes[number] == index:
                return self._line(index, number, chain, self._stored(index))
        raise UnknownEntry

    def gaps(self, subject: SubjectId | None) -> tuple[Gap, ...]:
        """Read the entries of the subject and return the places where sequence or links break.

        Those that were found sound before are not read again: what the tree says of them does not change.
        """
        found: list[Gap] = []
        ended: Before | None = None  # the chain before, as it is found here
        for chain in self._reader.chains(subject):
            count, last = self._known(chain, ended)
            before, found_before = ended, len(found)
            for entry in self._reader.entries(chain.indexes[count:]):
                leaf = Leaf.decode(entry.leaf)
                if (leaf.sequence, leaf.previous) != (count, last):
                    found.append(Gap(chain.epoch, count, entry.index))
                if count == 0:
                    taken_over = self._reader.record(entry, chain).before
                    if ended is not None and not _follows(ended, taken_over):
                        found.append(Gap(ended.epoch, ended.count, None))
                count, last = leaf.sequence + 1, self._reader.log.state.tree.leaf(entry.index)
            if count:
                ended = Before(chain.epoch, count, last)
            if count and len(found) == found_before:
                self._remember(chain, _Sound(count, last, before))
        return tuple(found)

    def _known(self, chain: EpochChain, ended: Before | None) -> tuple[int, bytes]:
        """Where the sound part of a chain ends: how many entries it has, and the last one's leaf."""
        sound = self._sound.get(chain.pseudonym)
        if sound is None or sound.ended != ended or sound.count > len(chain.indexes):
            return 0, FIRST_PREVIOUS
        # An entry that was left out since moves the others up.
        if self._reader.log.state.tree.leaf(chain.indexes[sound.count - 1]) != sound.last:
            return 0, FIRST_PREVIOUS
        return sound.count, sound.last

    def _remember(self, chain: EpochChain, sound: _Sound) -> None:
        self._sound[chain.pseudonym] = sound
        while len(self._sound) > _REMEMBERED:
            self._sound.popitem(last=False)

    def _lines(self, chain: EpochChain, start: int, end: int) -> list[AccessEntry]:
        """The entries of these numbers of a chain, newest first."""
        indexes = list(chain.indexes[start:end])
        stored: Sequence[StoredEntry | None]
        try:
            stored = list(self._reader.entries(indexes))
        except EntryDamaged:  # one of them: the others are shown
            stored = [self._stored(index) for index in indexes]
        lines = zip(range(start, end), indexes, stored, strict=True)
        return [self._line(index, number, chain, entry) for number, index, entry in lines][::-1]

    def _stored(self, index: int) -> StoredEntry | None:
        """None where what is stored of the entry is damaged."""
        try:
            return self._reader.entry(index)
        except EntryDamaged:
            return None

    def _line(self, index: int, number: int, chain: EpochChain, entry: StoredEntry | None) -> AccessEntry:
        hashed = self._reader.log.state.tree.leaf(index)
        if entry is None:
            return AccessEntry(LogIndex(index), chain.epoch, number, 0, hashed, None)
        recorded = Leaf.decode(entry.leaf).recorded_at_ms
        try:
            event = self._reader.event(entry, chain)
        except EntryDamaged:
            event = None
        return AccessEntry(LogIndex(index), chain.epoch, number, recorded, hashed, event)


def _follows(ended: Before, taken_over: Before | None) -> bool:
    """Whether the next epoch begins where this one ended, or after one whose key was erased since."""
    return taken_over is not None and (taken_over == ended or taken_over.epoch > ended.epoch)
