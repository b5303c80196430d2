"""Looking through the log, of some patients or of all, a bounded number of entries at a time.

Which entries are a patient's is known without decryption, and so is when an entry was recorded: neither the
entries of others nor those outside of the time are opened.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Final

from backend.audit.access import AccessEntry
from backend.audit.errors import EntryDamaged, UnknownEntry
from backend.audit.leaf import Leaf
from backend.audit.reader import EpochChain, LogReader
from backend.audit.types import StoredEntry
from backend.types import LogIndex, SubjectId

Chains = Mapping[bytes, EpochChain]  # by pseudonym
_READ_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Span:
    """Entries of the log from ``low`` up to but not including ``high``."""

    low: int
    high: int

    def __and__(self, other: Span) -> Span:
        return Span(max(self.low, other.low), min(self.high, other.high))


@dataclass(frozen=True, slots=True)
class Found:
    """``rest`` is what was not looked at yet, None at the end; it may hold nothing that is wanted."""

    entries: tuple[AccessEntry, ...]  # in the order asked for
    damaged: tuple[LogIndex, ...]  # cannot be read, so nobody knows whether they are wanted
    rest: Span | None


class LogSearch:
    """``subjects`` tells everybody whose entries the whole log may hold; None stands for the system."""

    def __init__(self, reader: LogReader, *, subjects: Callable[[], Iterable[SubjectId]]) -> None:
        self._reader = reader
        self._names = _Pseudonyms(reader, subjects)

    def span(self, start_ms: int | None = None, end_ms: int | None = None) -> Span:
        """Return the entries that are in the log now, recorded from ``start_ms`` and before ``end_ms``."""
        state = self._reader.log.state
        size = state.size
        low = 0 if start_ms is None else state.recorded_from(start_ms)
        high = size if end_ms is None else min(size, state.recorded_from(end_ms))
        return Span(low, max(low, high))

    def is_known(self, subject: SubjectId) -> bool:
        """Tell whether the log has anything of a subject; asking makes no key."""
        return any(chain.indexes for chain in self._reader.chains(subject))

    def scan(
        self,
        subjects: Collection[SubjectId | None] | None,
        span: Span,
        *,
        newest_first: bool,
        keep: Callable[[AccessEntry], bool],
        limit: int,
        most: int,
    ) -> Found:
        """Return up to ``limit`` entries that ``keep`` takes, opening at most ``most``. None: the whole log.

        Entries of patients whose key was erased are nobody's any more and left out. Raises AuditUnavailable.
        """
        chains = None if subjects is None else self._chains(subjects)
        found: list[AccessEntry] = []
        damaged: list[LogIndex] = []
        indexes = islice(_indexes(chains, span, newest_first=newest_first), most)
        rest: Span | None = None
        opened: dict[bytes, EpochChain | None] = {}
        while batch := list(islice(indexes, _READ_AT_ONCE)):
            for index, entry in self._read(batch):
                line = None if entry is None else self._line(index, entry, chains, opened)
                if entry is None or (line is not None and line.event is None):
                    damaged.append(LogIndex(index))
                elif line is not None and keep(line):
                    found.append(line)
                rest = Span(span.low, index) if newest_first else Span(index + 1, span.high)
                if len(found) == limit:
                    break
            if len(found) == limit:
                break
        if rest is not None and next(_indexes(chains, rest, newest_first=newest_first), None) is None:
            rest = None
        return Found(tuple(found), tuple(damaged), rest)

    def find(self, subjects: Collection[SubjectId | None] | None, index: int) -> AccessEntry:
        """Return one entry. Raises UnknownEntry, also for entries of others, and EntryDamaged."""
        if not 0 <= index < self._reader.log.state.size:
            raise UnknownEntry
        chains = None if subjects is None else self._chains(subjects)
        if (
            chains is not None
            and next(_indexes(chains, Span(index, index + 1), newest_first=True), None) is None
        ):
            raise UnknownEntry
        line = self._line(index, self._reader.entry(index), chains, {})
        if line is None:
            raise UnknownEntry
        if line.event is None:
            raise EntryDamaged(f"entry {index} cannot be read")
        return line

    def _chains(self, subjects: Collection[SubjectId | None]) -> Chains:
        found = (chain for subject in subjects for chain in self._reader.chains(subject))
        return {chain.pseudonym: chain for chain in found}

    def _read(self, batch: Sequence[int]) -> Iterator[tuple[int, StoredEntry | None]]:
        """Yield entries with their index, None for damaged ones."""
        try:
            yield from list(zip(batch, self._reader.entries(batch), strict=True))
            return
        except EntryDamaged:
            pass
        for index in batch:
            try:
                entry = self._reader.entry(index)
            except EntryDamaged:
                yield index, None
            else:
                yield index, entry

    def _line(
        self, index: int, entry: StoredEntry, chains: Chains | None, opened: dict[bytes, EpochChain | None]
    ) -> AccessEntry | None:
        """Open an entry; None where its key was erased."""
        leaf = Leaf.decode(entry.leaf)
        if chains is not None:
            chain = chains.get(leaf.pseudonym)
        else:
            if leaf.pseudonym not in opened:
                opened[leaf.pseudonym] = self._names.chain(leaf.pseudonym)
            chain = opened[leaf.pseudonym]
        if chain is None:
            return None
        try:
            event = self._reader.event(entry, chain)
        except EntryDamaged:
            event = None
        hashed = self._reader.log.state.tree.leaf(index)
        return AccessEntry(LogIndex(index), chain.epoch, leaf.sequence, leaf.recorded_at_ms, hashed, event)


def _indexes(chains: Chains | None, span: Span, *, newest_first: bool) -> Iterator[int]:
    if chains is None:
        every = range(span.low, span.high)
        return iter(reversed(every) if newest_first else every)
    parts = (chain.between(span.low, span.high) for chain in chains.values())
    if newest_first:
        return merge(*map(reversed, parts), reverse=True)
    return merge(*parts)


class _Pseudonyms:
    """Whose a pseudonym is: computed from everybody's keys when an unknown one is met. Holds no key."""

    def __init__(self, reader: LogReader, subjects: Callable[[], Iterable[SubjectId]]) -> None:
        self._reader = reader
        self._subjects = subjects
        self._lock = threading.Lock()
        self._owners: dict[bytes, tuple[SubjectId | None, int]] = {}
        self._seen: set[SubjectId | None] = set()
        self._nobodys: set[bytes] = set()

    def chain(self, pseudonym: bytes) -> EpochChain | None:
        with self._lock:
            if pseudonym not in self._owners and pseudonym not in self._nobodys:
                self._learn(pseudonym)
            owner = self._owners.get(pseudonym)
        return None if owner is None else self._reader.chain(*owner)

    def _learn(self, pseudonym: bytes) -> None:
        """Look at new subjects first, then at everybody: a known one may have a new key."""
        everybody: set[SubjectId | None] = {None, *self._subjects()}
        for some in (everybody - self._seen, everybody):
            for subject in some:
                for chain in self._reader.chains(subject):
                    self._owners[chain.pseudonym] = (subject, chain.epoch)
            self._seen |= some
            if pseudonym in self._owners:
                return
        self._nobodys.add(pseudonym)
