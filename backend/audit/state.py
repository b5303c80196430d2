"""The log in memory: its tree, the chains of the pseudonyms and the recent acts. Rebuilt at every start.

The sequencer is the only writer; any thread may read. About 60 bytes an entry.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from backend.audit.errors import LogDamaged, UnknownEntry
from backend.audit.leaf import FIRST_PREVIOUS, Leaf, continues, pseudonym_in, tail_of
from backend.audit.merkle import leaf_hash
from backend.audit.tiles import TileTree
from backend.audit.types import Bundle
from backend.types import LogIndex

# An act is repeated by the outbox right after a crash. The window is far wider than what can be under way.
_REMEMBERED_ACTS = 1 << 17


class LogView(Protocol):
    """What readers need of a log: its name and its state."""

    @property
    def origin(self) -> str: ...
    @property
    def state(self) -> LogState: ...


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Where the chain of a pseudonym stands: number of entries and leaf hash of the last."""

    count: int = 0
    last: bytes = FIRST_PREVIOUS


class Standing(NamedTuple):
    """A bundle, as far as it is known without reading it."""

    first: int
    entries: int
    token: int


class _Chain:
    __slots__ = ("indexes", "last")

    def __init__(self) -> None:
        self.indexes: array[int] = array("Q")
        self.last = FIRST_PREVIOUS


class LogState:
    def __init__(self) -> None:
        self.tree = TileTree()
        self.recorded_at_ms = 0  # of the newest entry
        # Of the bundles, as they were read or written; another process may have merged some since.
        self._firsts: array[int] = array("Q")
        self._tokens: array[int] = array("Q")
        # Of the runs of entries that were recorded at one time: a commit, or several that came at once.
        self._runs: array[int] = array("Q")
        self._times: array[int] = array("Q")
        self._left_over: set[int] = set()
        self._chains: dict[bytes, _Chain] = {}
        self._acts: dict[bytes, LogIndex] = {}
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        return self.tree.size

    def head(self) -> tuple[int, bytes]:
        """Return size and root of one moment."""
        compact = self.tree.compact()
        return compact.size, compact.root()

    def chain_end(self, pseudonym: bytes) -> ChainEnd:
        with self._lock:
            chain = self._chains.get(pseudonym)
            return ChainEnd(len(chain.indexes), chain.last) if chain else ChainEnd()

    def indexes(self, pseudonym: bytes) -> Sequence[int]:
        """Return the log indexes of a chain, ascending; a copy."""
        with self._lock:
            chain = self._chains.get(pseudonym)
            return chain.indexes[:] if chain else ()

    def act(self, act: bytes) -> LogIndex | None:
        """Return the index of the entry written for this act, if it is among the recent ones."""
        return self._acts.get(act)

    def bundle_first(self, index: int) -> int:
        """Return the first index of the bundle that holds ``index``, or held it once. Raises UnknownEntry."""
        if not 0 <= index < self.size:
            raise UnknownEntry
        with self._lock:
            return self._firsts[bisect_right(self._firsts, index) - 1]

    def standing(self, index: int, most: int) -> list[Standing]:
        """Return up to ``most`` bundles in order, from the one that holds ``index``."""
        size = self.size
        with self._lock:
            low = max(bisect_right(self._firsts, index) - 1, 0)
            firsts, tokens = self._firsts[low : low + most + 1], self._tokens[low : low + most]
        ends = [*firsts[1:], size]
        return [
            Standing(first, end - first, token)
            for first, end, token in zip(firsts, ends, tokens, strict=False)
            if first < size  # the newest may be about to be added
        ]

    def merged(self, bundle: Bundle) -> None:
        """Learn that this bundle stands in the place of all that began in it."""
        with self._lock:
            low, high = bisect_right(self._firsts, bundle.first), bisect_left(self._firsts, bundle.end)
            del self._firsts[low:high]
            del self._tokens[low:high]

    def note_left_over(self, part: Bundle, merged: Bundle) -> None:  # noqa: ARG002 - which part is read anew
        """Remember a merged bundle beside which some of its parts were found."""
        self._left_over.add(merged.first)

    def take_left_over(self) -> set[int]:
        """Return, once, the first indexes of merged bundles whose parts were not all removed."""
        taken, self._left_over = self._left_over, set()
        return taken

    def recorded_from(self, milliseconds: int) -> int:
        """Return the index of the first entry recorded at or after a time, the size where there is none."""
        with self._lock:
            number = bisect_left(self._times, milliseconds)
            return self._runs[number] if number < len(self._runs) else self.size

    def apply(self, bundle: Bundle) -> None:
        """Add a bundle that was committed. Leaf hashes are computed here, never taken from the store.

        Raises LogDamaged, naming the bundle, when it does not continue the log or a chain in it.
        """
        if bundle.first != self.size:
            raise LogDamaged(f"the entries from {self.size} to {bundle.first - 1} are missing")
        if not bundle.leaves:
            raise LogDamaged(f"the bundle at {bundle.first} is empty")
        hashes = [leaf_hash(leaf) for leaf in bundle.leaves]
        with self._lock:
            tail = b""
            for offset, (data, hashed) in enumerate(zip(bundle.leaves, hashes, strict=True)):
                tail = self._link(bundle.first + offset, data, hashed, tail)
                if not self._times or self._times[-1] != self.recorded_at_ms:
                    self._runs.append(bundle.first + offset)
                    self._times.append(self.recorded_at_ms)
            for offset, act in enumerate(bundle.acts):
                if act:
                    self._remember(act, LogIndex(bundle.first + offset))
            self._firsts.append(bundle.first)
            self._tokens.append(bundle.token)
        self.tree.extend(hashes)  # last: it publishes the new size

    def _link(self, index: int, data: bytes, hashed: bytes, tail: bytes) -> bytes:
        """Put an entry on its chain; ``tail`` is how the leaf before it ends. Return how this one does."""
        pseudonym = pseudonym_in(data)
        chain = self._chains.get(pseudonym)
        if chain is None:
            chain = self._chains[pseudonym] = _Chain()
        if not continues(data, sequence=len(chain.indexes), previous=chain.last, tail=tail):
            try:
                leaf = Leaf.decode(data)
            except ValueError as error:
                raise LogDamaged(f"the leaf of entry {index} cannot be read") from error
            if leaf.sequence != len(chain.indexes) or leaf.previous != chain.last:
                raise LogDamaged(f"entry {index} does not continue its chain")
            self.recorded_at_ms = leaf.recorded_at_ms
            tail = tail_of(leaf.recorded_at_ms)
        chain.indexes.append(index)
        chain.last = hashed
        return tail

    def _remember(self, act: bytes, index: LogIndex) -> None:
        self._acts[act] = index
        if len(self._acts) > _REMEMBERED_ACTS:
            del self._acts[next(iter(self._acts))]
