"""Reading entries back. Nothing from the store is believed: each leaf must have the hash in the tree."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.audit.entry import AuditEvent
from backend.audit.errors import EntryDamaged
from backend.audit.leaf import Leaf
from backend.audit.merkle import leaf_hash
from backend.audit.ports import AuditKeys, AuditStore
from backend.audit.seal import Opened, Record, open_body, pseudonym_of
from backend.audit.state import LogView
from backend.audit.types import StoredEntry
from backend.types import SubjectId

_READ_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class EpochChain:
    """One patient's entries (or the system's) under one audit key."""

    epoch: int
    key: bytes
    pseudonym: bytes
    indexes: Sequence[int]

    def between(self, low: int, high: int) -> Sequence[int]:
        """Return the indexes from ``low`` up to but not including ``high``."""
        return self.indexes[bisect_left(self.indexes, low) : bisect_left(self.indexes, high)]

    def __repr__(self) -> str:
        return f"EpochChain(epoch={self.epoch}, entries={len(self.indexes)})"


class LogReader:
    def __init__(self, *, log: LogView, store: AuditStore, keys: AuditKeys) -> None:
        self.log = log
        self._store = store
        self._keys = keys

    def entry(self, index: int) -> StoredEntry:
        """Return one entry. Raises UnknownEntry, EntryDamaged, AuditUnavailable."""
        return next(self.entries((index,)))

    def entries(self, indexes: Sequence[int]) -> Iterator[StoredEntry]:
        """Yield entries in the order asked for. Raises as ``entry``."""
        state = self.log.state
        for start in range(0, len(indexes), _READ_AT_ONCE):
            some = indexes[start : start + _READ_AT_ONCE]
            found = self._store.entries({index: state.bundle_first(index) for index in some})
            for index in some:
                entry = found.get(index)
                if entry is None:
                    raise EntryDamaged(f"no bundle holds entry {index}")
                if leaf_hash(entry.leaf) != state.tree.leaf(index):
                    raise EntryDamaged(f"the leaf of entry {index} was changed")
                yield entry

    def chains(self, subject: SubjectId | None) -> tuple[EpochChain, ...]:
        """Return the subject's chains by epoch, without those whose key was erased."""
        newest = self._keys.newest(subject)
        epochs = range(0 if newest is None else newest + 1)
        found = (self.chain(subject, epoch) for epoch in epochs)
        return tuple(chain for chain in found if chain is not None)

    def chain(self, subject: SubjectId | None, epoch: int) -> EpochChain | None:
        """Return the chain of one epoch, None where its key was erased or never made."""
        key = self._keys.at(subject, epoch)
        if key is None:
            return None
        pseudonym = pseudonym_of(key, origin=self.log.origin, epoch=epoch)
        return EpochChain(epoch, key, pseudonym, self.log.state.indexes(pseudonym))

    def open(self, entry: StoredEntry, chain: EpochChain) -> Opened:
        """Decrypt an entry of this chain. Raises EntryDamaged."""
        leaf = Leaf.decode(entry.leaf)
        if leaf.pseudonym != chain.pseudonym:
            raise EntryDamaged(f"entry {entry.index} is of another chain")
        return open_body(
            entry.body,
            audit_key=chain.key,
            pseudonym=leaf.pseudonym,
            commitment=leaf.commitment,
            origin=self.log.origin,
        )

    def record(self, entry: StoredEntry, chain: EpochChain) -> Record:
        """Return the record of an entry of this chain. Raises EntryDamaged."""
        return Record.decode(self.open(entry, chain).record)

    def event(self, entry: StoredEntry, chain: EpochChain) -> AuditEvent:
        """Return the event of an entry of this chain. Raises EntryDamaged."""
        return AuditEvent.decode(self.record(entry, chain).event)

    def act_of(self, subject: SubjectId | None, index: int) -> bytes:
        """Return the act that an entry of this subject was written for, empty if none.

        Raises EntryDamaged, also when the entry is of someone else.
        """
        entry = self.entry(index)
        for chain in self.chains(subject):
            if index in chain.indexes:
                return self.record(entry, chain).act
        raise EntryDamaged(f"entry {index} is of another chain")
