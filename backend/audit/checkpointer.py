"""Signs checkpoints of the log and keeps them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from backend.audit.checkpoint import Checkpoint, sign
from backend.audit.log import AuditLog
from backend.audit.ports import AuditStore, CheckpointSigner
from backend.audit.types import AnchorRecord, StoredCheckpoint


class Checkpointer:
    """``signers`` are the log's current key and, after a rotation, as many more as verifiers still need."""

    def __init__(
        self,
        *,
        log: AuditLog,
        store: AuditStore,
        signers: Sequence[CheckpointSigner],
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
        """Return a checkpoint of at least ``size`` entries, an anchored one where there is one."""
        for anchored in (True, False):
            newest = self._store.newest_checkpoint(anchored=anchored)
            if newest is not None and newest.size >= size:
                return newest
        return self.now()

    def anchored(self) -> StoredCheckpoint | None:
        return self._store.newest_checkpoint(anchored=True)

    def record_anchor(self, checkpoint: StoredCheckpoint, record: AnchorRecord) -> None:
        """Note durably where the checkpoint stands on the chain."""
        self._store.save_checkpoint(replace(checkpoint, anchor=record))
