"""Keeps the backup of a running service: a base at first, and the changes since before each anchor.

So whatever checkpoint stands on the chain, the backup reaches it. A part that cannot be written holds the
anchor back: an anchor that no restore can reach would lock the custodian out of its own log for good. A
generation never outlives the process that made it, for what changed is remembered in memory only.

``daily`` has a base made when it is time, and checked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

from backend.backup import block_copy, sealed_file
from backend.backup.checking import WrittenBase, read_back
from backend.backup.errors import BackupInterrupted
from backend.backup.making import Base, expired, make_base, prune
from backend.backup.operations import Operation
from backend.backup.ports import Changes, Recorder
from backend.backup.recovery_key import ServiceHalf
from backend.backup.shelf import Shelf, tail_part
from backend.backup.sources import Sources, changed_pins
from backend.errors import AssentError
from backend.keystore import KeyName
from backend.records.blocks import Cid

BASE_SECONDS: Final = 24 * 3600  # a tail longer than a day makes a restore slow
LAST_SECONDS: Final = 5  # of a stop: whoever waits for it may lose patience and kill the service
_YIELD_EVERY: Final = 64  # some 2 ms of work
_YIELD_SECONDS: Final = 0.001


@dataclass(slots=True)
class _Generation:
    """The one that is being written to."""

    base: Base
    key_id: str
    parts: int  # of the tail
    previous: bytes  # digest of the last file
    pins: frozenset[Cid]
    journal_bytes: int
    shipped_at: int
    log_size: int

    @property
    def name(self) -> str:
        return self.base.manifest.generation


class BackupKeeper:
    """One of a process. ``ship`` and ``renew`` may be called from any thread; they never overlap."""

    def __init__(
        self,
        *,
        sources: Sources,
        recorder: Recorder,
        shelf: Shelf,
        service_half: Callable[[], ServiceHalf],
        keep: int,
        clock: Callable[[], int],
        base_seconds: int = BASE_SECONDS,
        last_seconds: float = LAST_SECONDS,
        publish: Callable[[int, int], None] = lambda _shipped, _expires: None,
        room: Callable[[], None] = lambda: None,
        alone: AbstractContextManager[Any] | None = None,
    ) -> None:
        """``room`` raises where writing more would take what others need. ``last_seconds``: how long a base
        may take that is begun after ``end``. ``alone`` is held while a part is read: whoever moves documents
        of the index in several writes holds it too."""
        self._room = room
        self._alone = alone or nullcontext()
        self._publish = publish
        self._sources = sources
        self._recorder = recorder
        self._shelf = shelf
        self._service_half = service_half
        self._keep = keep
        self._clock = clock
        self._base_seconds = base_seconds
        self._last_seconds = last_seconds
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._interrupted = False
        self._passed = 0
        self._current: _Generation | None = None
        self._unread: WrittenBase | None = None
        self._error: str | None = None
        sources.keys.record_changes()

    def ship(self) -> None:
        """Make the backup reach what the stores hold now. Raises AssentError when it does not."""
        with self._lock:
            try:
                key = self._service_half()
                key.require_live(self._clock())
                with self._alone, self._shelf.writing():
                    if self._needs_base(key):
                        self._begin(key)
                    self._add(key)
            except AssentError as error:
                self._error = error.code
                raise
            self._error = None
            self._publish(self._clock(), key.expires_at)

    def renew(self) -> None:
        """Begin a new generation. Raises AssentError when it cannot be made."""
        with self._lock:
            self._current = None
        self.ship()

    def is_due(self) -> bool:
        """Tell whether it is time for a new generation. Raises AssentError when the key cannot be read."""
        return self._needs_base(self._service_half())

    def take_unread(self) -> WrittenBase | None:
        """Return the newest base once, for who checks it; None when it was taken already."""
        unread, self._unread = self._unread, None
        return unread

    def read_back(self, written: WrittenBase) -> dict[str, int]:
        """Check a base beside whatever goes on. Raises what ``checking`` does, and BackupInterrupted."""
        return read_back(written, self._shelf, self._sources.blocks, self._go_on)

    def remove_expired(self) -> None:
        """Remove what was written under keys that have ended, be there a new key or not."""
        with self._lock:
            if self._shelf.root.is_dir() and expired(self._shelf, self._clock()):
                with self._shelf.writing():
                    prune(self._shelf, self._sources, keep=self._keep, now=self._clock())

    def end(self) -> None:
        """The service stops: a base that is being made or read is given up, and no other is begun then."""
        self._ending.set()

    def status(self) -> dict[str, Any]:
        """Return how far the last one reaches and until when its key lives."""
        current = self._current
        try:
            expires: int | None = self._service_half().expires_at
        except AssentError:
            expires = None
        return {
            "generation": None if current is None else current.name,
            "parts": 0 if current is None else current.parts,
            "shipped_at": None if current is None else current.shipped_at,
            "log_size": 0 if current is None else current.log_size,
            "key_expires_at": expires,
            "error": self._error,
        }

    def _go_on(self) -> None:
        """Let requests run between the entries of a base that is made or read beside them."""
        self._passed += 1
        if self._passed % _YIELD_EVERY == 0:
            time.sleep(_YIELD_SECONDS)
        if self._ending.is_set():
            self._interrupted = True
            raise BackupInterrupted

    def _write_on(self) -> None:
        self._go_on()
        self._room()

    def _write_until(self, deadline: float) -> Callable[[], None]:
        """``deadline``: of ``time.monotonic``."""

        def go_on() -> None:
            self._room()
            if time.monotonic() > deadline:
                raise BackupInterrupted

        return go_on

    def _needs_base(self, key: ServiceHalf) -> bool:
        current = self._current
        return (
            current is None
            or current.key_id != key.id
            or self._clock() - current.base.manifest.made_at >= self._base_seconds
        )

    def _begin(self, key: ServiceHalf) -> None:
        self._current = None
        if self._interrupted:
            raise BackupInterrupted
        go_on = self._write_on
        if self._ending.is_set():  # the last anchor of a service that made none yet asks for one
            go_on = self._write_until(time.monotonic() + self._last_seconds)
        self._recorder.take()  # what was written before is in the base
        self._sources.keys.take_changes()
        base = make_base(self._sources, self._shelf, key, clock=self._clock, go_on=go_on)
        self._unread = WrittenBase(base, key)
        prune(self._shelf, self._sources, keep=self._keep, now=self._clock())
        self._current = _Generation(
            base, key.id, 0, base.digest, base.pins, base.journal_bytes, base.manifest.made_at, 0
        )

    def _add(self, key: ServiceHalf) -> None:
        current = self._current
        if current is None:
            return
        reading = _Reading(self._sources, self._recorder, self._shelf, current, self._room)
        number, now = current.parts + 1, self._clock()
        size, _ = self._sources.index.log_head()
        try:
            written = sealed_file.write(
                self._shelf.path(current.name, tail_part(number)),
                reading,
                to=key,
                generation=current.name,
                part=tail_part(number),
                at=now,
                previous=current.previous,
            )
        except _TooMuch:
            self._begin(key)
            self._add(key)
            return
        except BaseException:
            reading.put_back()
            raise
        current.parts, current.previous = number, written.sha256
        current.pins, current.journal_bytes = reading.pins, reading.journal_bytes
        current.shipped_at, current.log_size = now, size


class _TooMuch(Exception):
    """More changed than was remembered."""


class _Reading:
    """What changed since the part before, read once; afterwards ``pins`` and ``journal_bytes`` say how far.

    A document that points, such as the log's head, is read first, and what changed is asked for again behind
    it: so all that it points to is in this part, or in one before.
    """

    def __init__(
        self,
        sources: Sources,
        recorder: Recorder,
        shelf: Shelf,
        current: _Generation,
        room: Callable[[], None],
    ) -> None:
        self._room = room
        self._sources = sources
        self._recorder = recorder
        self._shelf = shelf
        self._current = current
        self._taken: list[Changes] = []
        self._secrets: set[KeyName] = set()
        self.pins = current.pins
        self.journal_bytes = current.journal_bytes

    def __iter__(self) -> Iterator[Operation]:
        pointing = self._sources.index.pointing
        before = self._take()
        yield from self._sources.changed_documents({c: before[c] for c in before.keys() & pointing})
        since = self._take()
        self._recorder.put_back({c: since[c] for c in since.keys() & pointing})
        rest = {c: _union(before, since, c) for c in (before.keys() | since.keys()) - pointing}
        yield from self._sources.changed_documents(rest)
        self._secrets = self._sources.keys.take_changes()
        yield from self._sources.versions()  # few, and each time all: nobody remembers which changed
        yield from self._sources.changed_secrets(self._secrets)
        roots = set(self._sources.blocks.pins())
        new = sorted(roots - self._current.pins)
        missed = block_copy.copy_out(self._sources.blocks, self._shelf, new, self._room)
        self.pins = frozenset(roots.difference(missed))
        yield from changed_pins(set(self._current.pins), set(self.pins))
        self.journal_bytes = self._sources.journal_end()
        yield from self._sources.journal_from(self._current.journal_bytes, self.journal_bytes)

    def put_back(self) -> None:
        """What was read is kept nowhere: the next part has to tell it."""
        for changes in self._taken:
            self._recorder.put_back(changes)
        self._sources.keys.put_back_changes(self._secrets)

    def _take(self) -> Changes:
        changes = self._recorder.take()
        if changes is None:
            raise _TooMuch
        self._taken.append(changes)
        return changes


def _union(before: Changes, since: Changes, collection: str) -> set[Any] | None:
    first, second = before.get(collection, set()), since.get(collection, set())
    return None if first is None or second is None else first | second
