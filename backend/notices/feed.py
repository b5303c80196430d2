"""Follows the audit log and has each event told. In the log everything that happened stands durably and in
order, so nothing is told that did not happen, and what a crash left is told after it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from backend.audit.entry import AuditEvent
from backend.audit.leaf import Leaf
from backend.audit.log import AuditLog
from backend.audit.reader import EpochChain, LogReader
from backend.errors import AssentError, Unavailable
from backend.notices.ports import NoticeStore
from backend.notices.reminding import Reminding
from backend.notices.telling import Telling
from backend.recurring import Recurring
from backend.types import LogIndex, SubjectId, UnixSeconds

_LOG = logging.getLogger("assent.notices")
LOOK_EVERY_SECONDS: Final = 0.5
MAX_HEARD: Final = 20_000  # events kept in memory until they are told; beyond it the log is read
AT_ONCE: Final = 500  # entries between two marks of how far it has come


class Feed(Recurring):
    """``subjects`` lists everybody who may have entries that concern others."""

    def __init__(
        self,
        *,
        log: AuditLog,
        reader: LogReader,
        telling: Telling,
        reminding: Reminding,
        notices: NoticeStore,
        subjects: Callable[[], Iterable[SubjectId]],
        publish_late: Callable[[int], None],
        clock: Callable[[], int],
    ) -> None:
        super().__init__(
            name="notices",
            every_seconds=LOOK_EVERY_SECONDS,
            log=_LOG,
            failing="notices wait",
            waits_first=True,
        )
        self._audit = log
        self._reader = reader
        self._telling = telling
        self._reminding = reminding
        self._notices = notices
        self._subjects = subjects
        self._publish_late = publish_late
        self._clock = clock
        self._heard: dict[int, AuditEvent] = {}
        self._chains: dict[bytes, EpochChain] = {}

    def start(self) -> None:
        """Begin where the last run ended; a new log from its present end."""
        if self._notices.cursor() is None:
            self._notices.set_cursor(LogIndex(self._audit.state.size))
        self._audit.listener = self._hear
        super().start()

    def follow(self) -> int:
        """Tell everything up to the log's end; return how many entries that were. Raises Unavailable.

        At the end of the service it stops between two entries, however many are left for the next one.
        """
        begin = index = self._notices.cursor() or LogIndex(0)
        end = self._audit.state.size
        self._chains.clear()
        try:
            while index < end and not self._ending.is_set():
                event = self._heard.pop(index, None) or self._read(index)
                if event is not None:
                    self._tell(index, event)
                index = LogIndex(index + 1)
                if (index - begin) % AT_ONCE == 0:
                    self._notices.set_cursor(index)
        finally:
            if index != begin:
                self._notices.set_cursor(index)
        return index - begin

    def remind(self) -> None:
        """Send the reminders whose time has come. Raises Unavailable."""
        now = UnixSeconds(self._clock())
        for reminder in self._notices.due_reminders(now=now, limit=AT_ONCE):
            try:
                self._reminding.remind(reminder)
            except Unavailable:
                raise
            except AssentError as failure:  # damaged or erased: the others must be reminded all the same
                _LOG.warning("a reminder was not sent", extra={"code": failure.code})
            self._notices.drop_reminder(reminder)
        self._publish_late(self._notices.late(now=now))

    def _hear(self, index: LogIndex, event: AuditEvent) -> None:
        # On the sequencer's thread: nothing but this.
        if len(self._heard) < MAX_HEARD:
            self._heard[index] = event

    def _tell(self, index: LogIndex, event: AuditEvent) -> None:
        try:
            self._telling.tell(index, event)
        except Unavailable:
            self._heard[index] = event
            raise
        except AssentError as failure:  # a damaged or erased document: the others must be told all the same
            _LOG.warning("an event was not told", extra={"code": failure.code, "entry": index})

    def _read(self, index: LogIndex) -> AuditEvent | None:
        try:
            entry = self._reader.entry(index)
            chain = self._chain(Leaf.decode(entry.leaf).pseudonym)
            return None if chain is None else self._reader.event(entry, chain)
        except Unavailable:
            raise
        except AssentError as failure:
            _LOG.warning("an entry cannot be told", extra={"code": failure.code, "entry": index})
            return None

    def _chain(self, pseudonym: bytes) -> EpochChain | None:
        if not self._chains:
            for subject in self._subjects():
                self._chains.update({chain.pseudonym: chain for chain in self._reader.chains(subject)})
        return self._chains.get(pseudonym)

    def _round(self) -> None:
        self.follow()
        self.remind()
