"""Puts checkpoints on the chain: at an interval, after so many entries, on demand and at shutdown."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from backend.audit.checkpointer import Checkpointer
from backend.audit.log import AuditLog
from backend.audit.ports import Anchor
from backend.audit.startup import check_prefix
from backend.audit.types import AnchorRecord
from backend.errors import AssentError

_log = logging.getLogger(__name__)
_OVERDUE_PERIODS = 3
_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class AnchorStatus:
    anchored_size: int  # entries of the log that are anchored
    covered_at: int  # unix seconds when the whole log was last known to be anchored
    overdue: bool  # the alarm: that was more than three periods ago
    last_error: str | None  # code of the failure since then


class Anchorer:
    """``run_once`` may also be called from any thread; runs never overlap."""

    def __init__(
        self,
        *,
        log: AuditLog,
        checkpointer: Checkpointer,
        anchor: Anchor,
        clock: Callable[[], int],
        interval_seconds: int = 60,
        every_entries: int = 1_024,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """``before`` makes sure that what is to be anchored can be restored; when it raises, nothing is."""
        self._before = before
        self._log = log
        self._checkpointer = checkpointer
        self._anchor = anchor
        self._clock = clock
        self.interval_seconds = interval_seconds
        self._every = every_entries
        self._running = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._anchored_size = 0
        self._covered_at = clock()
        self._last_error: str | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="audit-anchorer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and anchor what is there. A chain that does not answer is reported, not raised."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._attempt()

    def run_once(self) -> AnchorRecord | None:
        """Anchor the whole log; return where it stands, None while the log is empty.

        Each step may be repeated after a crash at any point: a checkpoint that is on the chain already is
        only recorded. Raises LedgerUnavailable, AuditUnavailable, and LogRolledBack or LogForked when the
        chain holds another history.
        """
        with self._running:
            anchored = self._anchor.anchored()
            if anchored is not None:
                check_prefix(self._log.state, anchored.size, anchored.root, source="the anchored checkpoint")
            if self._log.state.size == 0:
                self._covered(0)
                return None
            checkpoint = self._checkpointer.now()
            self._before()
            record = anchored
            if record is None or record.size < checkpoint.size:
                old_size = record.size if record is not None else 0
                proof = self._log.state.tree.consistency_proof(old_size, checkpoint.size) if old_size else []
                record = self._anchor.anchor(checkpoint.size, checkpoint.root, proof)
            if checkpoint.anchor is None and record.size == checkpoint.size:
                self._checkpointer.record_anchor(checkpoint, record)
            self._covered(record.size)
            return record

    def status(self) -> AnchorStatus:
        overdue = self._clock() - self._covered_at > _OVERDUE_PERIODS * self.interval_seconds
        return AnchorStatus(self._anchored_size, self._covered_at, overdue, self._last_error)

    def _covered(self, size: int) -> None:
        self._anchored_size = size
        self._covered_at = self._clock()
        self._last_error = None

    def _run(self) -> None:
        next_run = self._clock() + self.interval_seconds
        while not self._stop.wait(_POLL_SECONDS):
            # After a failure the next try waits for the interval, however many entries there are.
            many = self._log.state.size - self._anchored_size >= self._every and self._last_error is None
            if many or self._clock() >= next_run:
                self._attempt()
                next_run = self._clock() + self.interval_seconds

    def _attempt(self) -> None:
        try:
            self.run_once()
        except AssentError as error:
            self._last_error = error.code
            _log.error("the audit log could not be anchored: %s", error.code)
        except Exception:  # noqa: BLE001 - the thread must outlive a defect, and the alarm tells
            self._last_error = "internal"
            _log.exception("the audit log could not be anchored")
