"""Putting entries into a bundle: sequence numbers, links, leaf hashes and the root after it."""

from __future__ import annotations

from dataclasses import dataclass

from backend.audit.errors import StaleSeal
from backend.audit.leaf import Leaf
from backend.audit.merkle import leaf_hash
from backend.audit.ports import AuditKeys
from backend.audit.seal import Before, Record, Sealed, pseudonym_of, seal
from backend.audit.state import ChainEnd, LogState
from backend.audit.types import AppendedEntry, Bundle
from backend.types import LogIndex, SubjectId


@dataclass(frozen=True, slots=True)
class PreparedEntry:
    """A sealed event that waits for its place. ``continues`` is the chain its record says it takes over."""

    sealed: Sealed
    act: bytes  # 16 bytes, or empty
    continues: tuple[bytes, Before] | None  # pseudonym of the epoch before, and where it ended


def prepare(
    event: bytes,
    *,
    subject: SubjectId | None,
    act: bytes,
    keys: AuditKeys,
    state: LogState,
    origin: str,
) -> PreparedEntry:
    """Seal an encoded event under the subject's current audit key; done in the caller's thread."""
    epoch, key = keys.current(subject)
    pseudonym = pseudonym_of(key, origin=origin, epoch=epoch)
    continues = None
    if epoch > 0 and state.chain_end(pseudonym).count == 0:
        continues = _chain_before(subject, epoch, keys=keys, state=state, origin=origin)
    record = Record(event, continues[1] if continues else None, act).encode()
    return PreparedEntry(
        sealed=seal(record, audit_key=key, pseudonym=pseudonym, origin=origin), act=act, continues=continues
    )


def _chain_before(
    subject: SubjectId | None, epoch: int, *, keys: AuditKeys, state: LogState, origin: str
) -> tuple[bytes, Before] | None:
    """Return the newest chain before ``epoch`` that has entries: a key may be replaced before it is used."""
    while epoch > 0:
        epoch -= 1
        key = keys.at(subject, epoch)
        if key is None:
            return None
        pseudonym = pseudonym_of(key, origin=origin, epoch=epoch)
        end = state.chain_end(pseudonym)
        if end.count:
            return pseudonym, Before(epoch, end.count, end.last)
    return None


class BundleBuilder:
    """Collects the entries of the next commit on top of ``state`` without changing it."""

    def __init__(self, state: LogState, *, token: int, recorded_at_ms: int, closed: set[bytes]) -> None:
        self._state = state
        self._token = token
        self._time = max(recorded_at_ms, state.recorded_at_ms)
        self._closed = closed  # chains that a later epoch has taken over
        self._before = state.tree.compact()
        self._first = self._before.size
        self._ends: dict[bytes, ChainEnd] = {}
        self._leaves: list[bytes] = []
        self._hashes: list[bytes] = []
        self._entries: list[PreparedEntry] = []
        self._acts: dict[bytes, AppendedEntry] = {}

    def __len__(self) -> int:
        return len(self._leaves)

    def add(self, entry: PreparedEntry) -> AppendedEntry:
        """Give the entry its place; an act written before gives its old entry and adds nothing.

        Raises StaleSeal when the chain moved on since the entry was sealed.
        """
        if entry.act and (known := self._written(entry.act)) is not None:
            return known
        sealed = entry.sealed
        end = self._end(sealed.pseudonym)
        if sealed.pseudonym in self._closed:
            raise StaleSeal
        if entry.continues is not None:
            pseudonym, before = entry.continues
            if pseudonym in self._closed or end.count:
                raise StaleSeal
            if self._end(pseudonym) != ChainEnd(before.count, before.last):
                raise StaleSeal
            self._closed.add(pseudonym)
        leaf = Leaf(sealed.pseudonym, end.count, end.last, self._time, sealed.commitment).encode()
        hashed = leaf_hash(leaf)
        appended = AppendedEntry(LogIndex(self._first + len(self._leaves)), hashed)
        self._ends[sealed.pseudonym] = ChainEnd(end.count + 1, hashed)
        self._leaves.append(leaf)
        self._hashes.append(hashed)
        self._entries.append(entry)
        if entry.act:
            self._acts[entry.act] = AppendedEntry(appended.index, hashed, repeated=True)
        return appended

    def bundle(self) -> Bundle:
        after = self._before.copy()
        after.extend(self._hashes)
        return Bundle(
            first=LogIndex(self._first),
            token=self._token,
            leaves=tuple(self._leaves),
            bodies=tuple(e.sealed.body for e in self._entries),
            hashes=tuple(self._hashes),
            acts=tuple(e.act for e in self._entries),
            root=after.root(),
        )

    def _end(self, pseudonym: bytes) -> ChainEnd:
        end = self._ends.get(pseudonym)
        return end if end is not None else self._state.chain_end(pseudonym)

    def _written(self, act: bytes) -> AppendedEntry | None:
        index = self._state.act(act)
        if index is not None:
            return AppendedEntry(index, self._state.tree.leaf(index), repeated=True)
        return self._acts.get(act)
