"""What the audit log needs from outside: a store, audit keys, signing keys and the chain."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from backend.audit.types import AnchorRecord, Bundle, Head, StoredCheckpoint, StoredEntry
from backend.types import SubjectId


class AuditStore(Protocol):
    """Durable storage of bundles, head and checkpoints. It is not trusted: readers check hashes.

    Every method raises ``AuditUnavailable`` when the store does not answer; a write that raised it may or may
    not have happened. "Durable" means acknowledged by a majority and journaled.
    """

    def head(self) -> Head | None:
        """Return the head, or None when no log was ever started here."""
        ...

    def acquire(
        self, *, holder: str, now_ms: int, ttl_ms: int, takeover: bool, gone: Collection[str] = ()
    ) -> Head:
        """Take the lease durably with a token one higher than any before; return the head under it.

        From then on no commit or renewal with an older token succeeds. Allowed when the lease has run out,
        when ``holder`` or one of those ``gone`` has it, or when ``takeover``. Creates an empty head in an
        empty store.

        Raises LeaseHeld, and LogDamaged when entries exist but the head does not.
        """
        ...

    def renew(self, head: Head, *, expires_ms: int) -> None:
        """Extend the lease. Raises AuditFenced when the token is no longer the current one."""
        ...

    def release(self, head: Head) -> None:
        """Let the lease run out now, so that another can start at once; no effect when it was lost."""
        ...

    def commit(self, head: Head, bundle: Bundle, *, expires_ms: int) -> Head:
        """Add the bundle at the end and move the head, durably, when the stored head is still ``head``.

        Raises AuditFenced when it is not: then nothing was added.
        """
        ...

    def bundles(self, *, whole: bool = True) -> Iterator[Bundle]:
        """Yield all bundles in the order of their first index, also those past the head, and those that a
        merged one before them holds too: ``bundles.in_line`` knows how to read on.

        Unless ``whole`` they have no ``bodies`` and no ``hashes``: all that start-up needs, and much less.

        Raises LogDamaged, naming the bundle, when a document cannot be read as one.
        """
        ...

    def bundles_at(self, firsts: Sequence[int]) -> dict[int, Bundle]:
        """Return the bundles with these first indexes, without ``bodies``; missing ones are left out.

        Raises LogDamaged as ``bundles``.
        """
        ...

    def bundle_with(self, index: int, *, whole: bool = True) -> Bundle | None:
        """Return a bundle that holds this entry, wherever it begins; ``whole`` and errors as ``bundles``."""
        ...

    def entries(self, hints: Mapping[int, int]) -> dict[int, StoredEntry]:
        """Return the entries with these indexes; missing ones are left out.

        Each comes with the first index of a bundle that held it once: it is asked for first, and when the
        entry was moved into a merged one meanwhile, that is looked for. Raises LogDamaged as ``bundles``.
        """
        ...

    def merge(self, token: int, before: Bundle, merged: Bundle) -> None:
        """Put ``merged`` in the place of ``before``, which has the same first index, durably.

        Its other parts stay until ``discard``. The encrypted records are not touched: a merged bundle names
        where those of each part are. Raises AuditFenced when ``token`` is not the current lease's, and
        LogDamaged when another bundle than ``before`` is there: then nothing was done.
        """
        ...

    def discard(self, token: int, first: int) -> None:
        """Remove, durably, the bundles that the merged one at ``first`` was made of and that still lie there.

        Only what equals the stored merged bundle goes. Raises AuditFenced as ``merge``, and LogDamaged when
        one of them cannot be read.
        """
        ...

    def save_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Keep a checkpoint durably; the same size again only adds its anchor."""
        ...

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        """Yield all checkpoints by size."""
        ...

    def newest_checkpoint(self, *, anchored: bool) -> StoredCheckpoint | None:
        """Return the newest checkpoint, or the newest that was anchored."""
        ...

    def checkpoint(self, size: int) -> StoredCheckpoint | None: ...

    def cosign(self, checkpoint: StoredCheckpoint, note: str, *, best: bool) -> bool:
        """Put a note with more signatures in the place of the checkpoint's, durably.

        ``best`` makes it the one that ``most_cosigned`` gives. Returns False, having done nothing, when the
        stored note is not ``checkpoint.note``.
        """
        ...

    def most_cosigned(self) -> StoredCheckpoint | None:
        """Return the newest checkpoint that no older one has more witnesses than."""
        ...


class AuditKeys(Protocol):
    """Audit keys, 32 random bytes per patient and epoch; ``None`` stands for the system itself.

    Erasing a patient destroys all epochs. Epochs count up from 0 or 1 without a gap.
    """

    def current(self, subject: SubjectId | None) -> tuple[int, bytes]:
        """Return the epoch and key for new entries, made durable at first use.

        Raises Unavailable when the key store does not answer.
        """
        ...

    def newest(self, subject: SubjectId | None) -> int | None:
        """Return the epoch for new entries, None where no key was made yet. Makes none itself."""
        ...

    def at(self, subject: SubjectId | None, epoch: int) -> bytes | None:
        """Return the key of an epoch, or None when it was erased or never existed."""
        ...


class Anchor(Protocol):
    """The log's place on the chain (contract AuditAnchor)."""

    def anchored(self) -> AnchorRecord | None:
        """Return the last anchored checkpoint at the final block. Raises LedgerUnavailable."""
        ...

    def anchor(self, size: int, root: bytes, consistency_proof: Sequence[bytes]) -> AnchorRecord:
        """Anchor a checkpoint and return when it is mined.

        ``consistency_proof`` leads from the last anchored size to ``size`` and is empty for the first one.
        The same checkpoint again does nothing. Raises LedgerUnavailable; LogForked when the contract refuses.
        """
        ...
