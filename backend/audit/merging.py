"""Small bundles that lie side by side become large ones, so that a start has few documents to read.

A start reads every leaf, and what that takes goes by the number of documents. A service that writes one entry
at a time has a bundle an entry; merged, there are up to 256 times fewer.

What is merged never changes: the same leaves, hashes and acts, under the token of the lease that wrote them
all. The encrypted records stay where they are. The newest bundles wait until they fill one, or until another
process has the lease.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from backend.audit.errors import LogDamaged
from backend.audit.log import AuditLog
from backend.audit.merkle import leaf_hash
from backend.audit.ports import AuditStore
from backend.audit.state import LogState, Standing
from backend.audit.types import MAX_BUNDLE_ENTRIES, Bundle
from backend.recurring import Recurring

_LOG = logging.getLogger(__name__)
EVERY_SECONDS: Final = 10.0
MOST_AT_ONCE: Final = 2_048  # bundles that one round looks at
_PAUSE_SECONDS: Final = 0.05  # between two merges: appends and reads come first


class Plan(NamedTuple):
    groups: list[list[Standing]]  # each becomes one bundle
    open_from: int | None  # where the newest begin, which wait for more; None where nothing is


def plan(standing: Sequence[Standing], *, token: int) -> Plan:
    """Group bundles, in order, that fit into one and were written under one lease.

    A group ends where the next does not fit, so what was merged is not merged again. The last one ends only
    when it is full or was not written under ``token``, the current lease's: a commit may still belong to it.
    """
    groups: list[list[Standing]] = []
    group: list[Standing] = []
    entries = 0
    for each in standing:
        if group and (each.token != group[0].token or entries + each.entries > MAX_BUNDLE_ENTRIES):
            groups.append(group)
            group, entries = [], 0
        group.append(each)
        entries += each.entries
    open_from = group[0].first if group else None
    if group and (entries == MAX_BUNDLE_ENTRIES or group[0].token != token):
        groups.append(group)
    return Plan([group for group in groups if len(group) > 1], open_from)


def merged(parts: Sequence[Bundle]) -> Bundle:
    """Return one bundle with all that these hold, but for the encrypted records.

    Raises LogDamaged when they do not follow on each other, or do not belong into one.
    """
    first, last = parts[0], parts[-1]
    for before, after in pairwise(parts):
        if before.end != after.first or before.token != after.token:
            raise LogDamaged(f"the bundle at {after.first} does not continue the one at {before.first}")
    if last.end - first.first > MAX_BUNDLE_ENTRIES:
        raise LogDamaged(f"the bundles from {first.first} are too large for one")
    return Bundle(
        first=first.first,
        token=first.token,
        leaves=tuple(leaf for part in parts for leaf in part.leaves),
        bodies=(),
        hashes=tuple(hashed for part in parts for hashed in part.hashes),
        acts=tuple(act for part in parts for act in part.acts),
        root=last.root,
        parts=tuple(commit for part in parts for commit in part.parts),
    )


def require_of_log(bundle: Bundle, state: LogState) -> None:
    """Check every leaf of a bundle, and the hash beside it, against the log in memory. Raises LogDamaged."""
    for offset, (leaf, hashed) in enumerate(zip(bundle.leaves, bundle.hashes, strict=True)):
        if not leaf_hash(leaf) == hashed == state.tree.leaf(bundle.first + offset):
            raise LogDamaged(f"entry {bundle.first + offset} is not that of the log")


class BundleMerger(Recurring):
    """``alone`` is held during each merge: a backup that is written holds it too, and sees none half done."""

    def __init__(
        self,
        *,
        log: AuditLog,
        store: AuditStore,
        alone: threading.Lock,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        super().__init__(
            name="audit-merger",
            every_seconds=every_seconds,
            log=_LOG,
            failing="bundles of the audit log were not merged",
            away=logging.INFO,
        )
        self._audit_log = log
        self._store = store
        self._alone = alone
        self._from = 0  # everything before is merged as far as it can be
        self._unfinished: set[int] = set()  # where parts may lie beside a merged bundle

    def _round(self) -> None:
        self.run_once()

    def run_once(self) -> None:
        """Finish what was left half done, then merge some. Raises AuditUnavailable, AuditFenced."""
        state = self._audit_log.state
        self._unfinished |= state.take_left_over()
        for first in sorted(self._unfinished):
            if not self._finished(state, first):
                return
        found = plan(state.standing(self._from, MOST_AT_ONCE), token=self._audit_log.token)
        for group in found.groups:
            if not self._merged(state, group):
                return
            self._from = group[-1].first + group[-1].entries
            if self._ending.wait(_PAUSE_SECONDS):
                return
        if found.open_from is not None:
            self._from = found.open_from

    def _finished(self, state: LogState, first: int) -> bool:
        """Remove the parts beside a merged bundle; False when it has to wait."""
        if not self._may_begin():
            return False
        try:
            bundle = self._store.bundles_at([first]).get(first)
            if bundle is not None and len(bundle.parts) > 1:
                require_of_log(bundle, state)
                self._store.discard(self._audit_log.token, first)
                state.merged(bundle)
        except LogDamaged as damage:
            self._left_alone(first, damage)
        finally:
            self._alone.release()
        self._unfinished.discard(first)
        return True

    def _merged(self, state: LogState, group: Sequence[Standing]) -> bool:
        """Make one bundle of a group; False when it has to wait."""
        if not self._may_begin():
            return False
        first, token = group[0].first, self._audit_log.token
        try:
            there = self._store.bundles_at([each.first for each in group])
            parts = [there[each.first] for each in group if each.first in there]
            whole = merged(parts) if parts else None
            if whole is None or (whole.first, whole.end) != (first, group[-1].first + group[-1].entries):
                raise LogDamaged(f"the bundles from {first} are not those that were read")
            require_of_log(whole, state)
            self._unfinished.add(first)  # until all is known to have happened
            self._store.merge(token, parts[0], whole)
            state.merged(whole)
            self._store.discard(token, first)
            self._unfinished.discard(first)
        except LogDamaged as damage:
            self._left_alone(first, damage)
        finally:
            self._alone.release()
        return True

    def _may_begin(self) -> bool:
        """Take the lock, unless a backup is being written or another process may have the log."""
        return self._audit_log.leased and self._alone.acquire(blocking=False)

    def _left_alone(self, first: int, damage: LogDamaged) -> None:
        """What is damaged stays as it is: it is evidence, and ``fsck`` names it."""
        _LOG.error("bundles are left as they are: %s", damage.detail, extra={"bundle": first})
