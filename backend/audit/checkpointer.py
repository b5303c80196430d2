"""Signs checkpoints of the log and keeps them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from backend.audit.checkpoint import Checkpoint, sign
from backend.audit.log import AuditLog
from backend.audit.note import NoteSigner
from backend.audit.ports import AuditStore
from backend.audit.types import AnchorRecord, StoredCheckpoint


class Checkpointer:
    """``signers`` are the log's newest keys."""

    def __init__(
        self,
        *,
        log: AuditLog,
        store: AuditStore,
        signers: Sequence[NoteSigner],
        clock: Callable[[], int],
    ) -> None:
        self._log = log
        self._store = store
        self._signers = signers
        self._clock = clock
        self._lock = threading.Lock()

    def now(self) -> StoredCheckpoint:
        """Return a checkpoint of the whole log, signed and durably stored, or the stored one."""
        with self._lock:
            size, root = self._log.state.head()
            newest = self._store.newest_checkpoint(anchored=False)
            if newest is not None and (newest.size, newest.root) == (size, root):
                return newest
            note = sign(Checkpoint(self._log.origin, size, root), self._signers)
            checkpoint = StoredCheckpoint(size, root, note, self._clock())
            self._store.save_checkpoint(checkpoint)
            return checkpoint

    def covering(self, size: int) -> StoredCheckpoint:
        """Return a checkpoint of at least ``size`` entries: best a cosigned one, then an anchored one."""
        best = self._store.most_cosigned()
        if best is not None and best.size >= size:
            return best
        for anchored in (True, False):
            newest = self._store.newest_checkpoint(anchored=anchored)
            if newest is not None and newest.size >= size:
                return newest
        return self.now()

    def published(self, *, anchor_overdue: bool) -> StoredCheckpoint:
        """Return the checkpoint for witnesses and monitors: the newest anchored one.

        It stands from one anchor to the next, so that all witnesses cosign the same one. While the chain does
        not answer (``anchor_overdue``), and before the first anchor, it is one of the whole log.
        """
        anchored = self.anchored()
        return self.now() if anchored is None or anchor_overdue else anchored

    def anchored(self) -> StoredCheckpoint | None:
        return self._store.newest_checkpoint(anchored=True)

    def record_anchor(self, checkpoint: StoredCheckpoint, record: AnchorRecord) -> None:
        """Note durably where the checkpoint stands on the chain."""
        self._store.save_checkpoint(replace(checkpoint, anchor=record))
