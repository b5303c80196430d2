"""Start-up: rebuild the log from its entries and refuse any history but the one that was signed."""

from __future__ import annotations

from collections.abc import Sequence

from backend.audit.bundles import in_line
from backend.audit.checkpoint import open_checkpoint
from backend.audit.errors import LogDamaged, LogForked, LogRolledBack
from backend.audit.note import NoteVerifier
from backend.audit.ports import Anchor, AuditStore
from backend.audit.state import LogState
from backend.audit.types import Bundle, Head


def rebuild(store: AuditStore, head: Head) -> LogState:
    """Return the log's state, computed from the stored leaves, when it gives the stored head.

    A bundle at the head's size was written but never committed (a crash between the two): its callers were
    never answered, and the next commit replaces it.

    Raises LogDamaged when entries are missing, changed, differ where they stand twice, or stand past the
    head.
    """
    state = LogState()
    for bundle in in_line(store, whole=False, left_over=state.note_left_over, differing=_refuse):
        if bundle.first == head.size and bundle.token < head.token:
            continue
        if bundle.first >= head.size:
            raise LogDamaged(f"there are entries past the head: from {bundle.first}")
        state.apply(bundle)
    if state.size != head.size:
        raise LogDamaged(f"the log ends at entry {state.size}, its head says {head.size}")
    if state.tree.root() != head.root:
        raise LogDamaged("the entries do not give the head's root")
    return state


def _refuse(bundle: Bundle) -> None:
    raise LogDamaged(f"the bundle at {bundle.first} repeats entries of the one before, and differs")


def check_history(state: LogState, store: AuditStore, anchor: Anchor | None) -> None:
    """Compare the log with its newest stored checkpoint and with the last one on the chain.

    Raises LogRolledBack, LogForked, and LedgerUnavailable when the chain does not answer.
    """
    stored = store.newest_checkpoint(anchored=False)
    if stored is not None:
        check_prefix(state, stored.size, stored.root, source="a stored checkpoint")
    anchored = anchor.anchored() if anchor is not None else None
    if anchored is not None:
        check_prefix(state, anchored.size, anchored.root, source="the anchored checkpoint")


def check_signatures(store: AuditStore, *, origin: str, verifiers: Sequence[NoteVerifier]) -> None:
    """Check that the newest checkpoints are signed by keys of the log. Raises InvalidNote."""
    for anchored in (False, True):
        stored = store.newest_checkpoint(anchored=anchored)
        if stored is not None:
            open_checkpoint(stored.note, origin=origin, verifiers=verifiers)


def check_prefix(state: LogState, size: int, root: bytes, *, source: str) -> None:
    """Check that the log had this root at this size. Raises LogRolledBack or LogForked."""
    if size > state.size:
        raise LogRolledBack(f"{source} has {size} entries, the log {state.size}")
    if state.tree.root(size) != root:
        raise LogForked(f"{source} at {size} entries has another root")
