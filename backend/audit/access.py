"""The list a patient sees: who looked, when, for which purpose, under which consent, and who was refused."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from backend.audit.entry import AuditEvent
from backend.audit.errors import EntryDamaged, UnknownEntry
from backend.audit.leaf import FIRST_PREVIOUS, Leaf
from backend.audit.reader import EpochChain, LogReader
from backend.audit.seal import Before
from backend.types import LogIndex, SubjectId


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


class AccessList:
    """``None`` as subject lists the system's own entries."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

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
            entries += [self._line(chain.indexes[n], n, chain) for n in range(end - 1, start - 1, -1)]
        oldest = chains[0].indexes[0] if chains else None
        more = entries[-1].index if entries and entries[-1].index != oldest else None
        return AccessPage(tuple(entries), more, sum(len(chain.indexes) for chain in chains))

    def find(self, subject: SubjectId | None, index: LogIndex) -> AccessEntry:
        """Return one entry of this subject. Raises UnknownEntry, also for entries of others."""
        for chain in self._reader.chains(subject):
            number = bisect_left(chain.indexes, index)
            if number < len(chain.indexes) and chain.indexes[number] == index:
                return self._line(index, number, chain)
        raise UnknownEntry

    def gaps(self, subject: SubjectId | None) -> tuple[Gap, ...]:
        """Read every entry of the subject and return the places where sequence or links break."""
        found: list[Gap] = []
        ended: Before | None = None  # the chain before, as it is found here
        for chain in self._reader.chains(subject):
            count, last = 0, FIRST_PREVIOUS
            for entry in self._reader.entries(chain.indexes):
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
        return tuple(found)

    def _line(self, index: int, number: int, chain: EpochChain) -> AccessEntry:
        hashed = self._reader.log.state.tree.leaf(index)
        try:
            entry = self._reader.entry(index)
            recorded = Leaf.decode(entry.leaf).recorded_at_ms
        except EntryDamaged:
            return AccessEntry(LogIndex(index), chain.epoch, number, 0, hashed, None)
        try:
            event = self._reader.event(entry, chain)
        except EntryDamaged:
            event = None
        return AccessEntry(LogIndex(index), chain.epoch, number, recorded, hashed, event)


def _follows(ended: Before, taken_over: Before | None) -> bool:
    """Whether the next epoch begins where this one ended, or after one whose key was erased since."""
    return taken_over is not None and (taken_over == ended or taken_over.epoch > ended.epoch)
