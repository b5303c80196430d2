"""Makes a whole backup each day, and reads it back, beside whatever the service does.

Serving waits for none of it. Anchors do wait while a base is made, as for every part of a backup
(``keeping``), and not while one is read. What a check found is written down beside the backup, so that its
age is known after a restart, and in the audit log.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from backend.backup.checking import WrittenBase
from backend.backup.errors import BackupInterrupted, BackupMissing
from backend.backup.keeping import BackupKeeper
from backend.backup.shelf import Shelf
from backend.errors import AssentError

_log = logging.getLogger(__name__)
FIRST_SECONDS: Final = 60  # after a start: the anchorer's first part usually makes the base
RETRY_SECONDS: Final = 600  # a directory that is away is asked for by each anchor, too
_LOOK_SECONDS: Final = 1.0


class Notes(Protocol):
    """Where it is told what a check came to. Raises AssentError where that cannot be kept."""

    def verified(self, generation: str, at: int, counts: dict[str, int]) -> None: ...

    def refused(self, generation: str, at: int, code: str) -> None: ...


class DailyBackup:
    """A thread. ``make`` and ``status`` may be called from any other."""

    def __init__(
        self,
        *,
        keeper: BackupKeeper,
        shelf: Shelf,
        notes: Notes,
        clock: Callable[[], int],
        publish: Callable[[int], None] = lambda _at: None,
        tidy: Callable[[], None] = lambda: None,
    ) -> None:
        """``publish`` gets when a backup was last found to be right; ``tidy`` is called after each round."""
        self._keeper = keeper
        self._shelf = shelf
        self._notes = notes
        self._clock = clock
        self._publish = publish
        self._tidy = tidy
        self._started_at = clock()
        self._next_try = self._started_at + FIRST_SECONDS
        self._wanted = threading.Event()
        self._stop = threading.Event()
        self._busy = False
        self._refused: str | None = None  # code of what the last check found
        self._verified_at = newest_verified(shelf)
        self._thread = threading.Thread(target=self._run, name="backup", daemon=True)

    def ship(self) -> None:
        """Make the backup reach what the stores hold now. Raises AssentError when it does not."""
        self._keeper.ship()

    def start(self) -> None:
        if self._verified_at is not None:
            self._publish(self._verified_at)
        self._thread.start()

    def close(self) -> None:
        """Stop; a base that is being made or read is given up."""
        self._keeper.end()
        self._stop.set()
        self._thread.join()

    def make(self) -> None:
        """Have a new generation made and checked in the background; one that is begun is not begun again."""
        if not self._busy:
            self._wanted.set()

    def status(self) -> dict[str, Any]:
        """Return what the keeper's ``status`` does, whether one is made or checked, and the checks so far."""
        found = self._keeper.status()
        return {
            **found,
            "running": self._busy or self._wanted.is_set(),
            "verified_at": self._verified_at,
            "watched_from": self._verified_at or self._started_at,
            "refused": self._refused,
        }

    def run_once(self) -> None:
        """Make a base if it is wanted or due, and check the newest if that was not done.

        Raises AssentError.
        """
        wanted = self._wanted.is_set()
        if wanted or self._is_time():
            self._busy = True
            self._wanted.clear()
            self._next_try = self._clock() + RETRY_SECONDS
            if wanted or self._refused is not None:
                self._keeper.renew()
            else:
                self._keeper.ship()
        unread = self._keeper.take_unread()
        if unread is not None:
            self._busy = True
            self._check(unread)

    def _is_time(self) -> bool:
        if self._clock() < self._next_try:
            return False
        self._keeper.remove_expired()
        return self._refused is not None or self._keeper.is_due()

    def _check(self, written: WrittenBase) -> None:
        generation = written.base.manifest.generation
        try:
            counts = self._keeper.read_back(written)
            now = self._clock()
            self._shelf.note_verified(generation, now)
        except (BackupInterrupted, BackupMissing):  # the next one is checked instead
            raise
        except AssentError as failure:
            self._refused = failure.code
            self._next_try = self._clock() + RETRY_SECONDS
            self._notes.refused(generation, self._clock(), failure.code)
            raise
        self._refused, self._verified_at = None, now
        self._publish(now)
        self._notes.verified(generation, now, counts)
        self._tidy()

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                self.run_once()
            except BackupInterrupted:
                return
            except AssentError as failure:
                _log.error("no backup was made and checked: %s", failure.code, extra={"code": failure.code})
            except Exception:  # noqa: BLE001 - the thread must outlive a defect, and the alarm tells
                self._refused = "internal"
                _log.exception("no backup was made and checked")
            finally:
                self._busy = False


def newest_verified(shelf: Shelf) -> int | None:
    """Return when a whole backup that is there was last read back and found right, unix seconds."""
    try:
        times = [shelf.verified_at(generation) for generation in shelf.generations()]
    except BackupMissing:  # no directory yet
        return None
    return max((at for at in times if at is not None), default=None)
