"""Finds what a node of the block store lost or missed, and brings it there from another node.

A round compares what the records name with what each node pins, and restores pins. Then, for a part of the
time until the next round, it reads every block of some more records at every node: a pin does not show that a
block was lost or altered. The index tells what is wanted, never a node: one that was away while something was
erased must not bring it back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from backend.errors import AssentError, IntegrityError, Unavailable
from backend.keystore import SecretNotFound
from backend.records.blocks import Cid
from backend.records.manifest import version_name
from backend.records.ports import VersionRow
from backend.records.storage_ports import Replicas
from backend.types import RecordId, SubjectId

_LOG = logging.getLogger("assent.storage")
_PAGE: Final = 500
_READING_SHARE: Final = 0.1  # of the time between two rounds


class RecordPages(Protocol):
    def page(self, after: str, limit: int) -> tuple[list[VersionRow], str]:
        """Return versions by id behind this one, without those that cannot be read, and the last one's id,
        empty where there are no more. Raises IndexUnavailable."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round found, once it had done what it could. Nodes that are away keep nothing in its eyes.

    ``below``: blobs on fewer nodes than they must be on. ``missing``: blobs that a node which answers lacks.
    """

    below: int = 0
    restored: int = 0  # blobs brought to a node
    missing: Mapping[str, int] = field(default_factory=dict)
    away: Mapping[str, str] = field(default_factory=dict)  # the code of its error, by node


class PinRepair:
    """A thread. ``roots`` gives what a version consists of; ``erases`` whether a record is being erased."""

    def __init__(
        self,
        *,
        replicas: Replicas,
        records: RecordPages,
        roots: Callable[[VersionRow], Iterable[Cid]],
        erases: Callable[[SubjectId, RecordId | None], bool],
        interval_seconds: float,
    ) -> None:
        self.replicas = replicas
        self._records = records
        self._roots = roots
        self._erases = erases
        self._interval_seconds = interval_seconds
        self._read_up_to = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pin-repair", daemon=True)
        self.last: Round | None = None
        self.restored = 0  # blobs brought to a node since the start

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop; returns when the blob under way is whole."""
        self._stop.set()
        self._thread.join()

    def round(self) -> Round:
        """Restore pins. Raises IndexUnavailable."""
        away: dict[str, str] = {}
        pinned = {name: self._pins_at(name, away) for name in self.replicas.nodes()}
        below = restored = 0
        missing = {name: 0 for name in pinned if name not in away}
        for row in self._rows(""):
            for root in self._wanted(row):
                lacking = [name for name, pins in pinned.items() if root not in pins]
                still = [name for name in lacking if name in away or not self._bring(name, root, row, away)]
                restored += len(lacking) - len(still)
                if not still or not self._stands(row):
                    continue
                below += len(pinned) - len(still) < self.replicas.needed
                for name in still:
                    if name in missing:
                        missing[name] += 1
        self.restored += restored
        self.last = Round(below, restored, missing, away)
        return self.last

    def read_on(self, seconds: float) -> int:
        """Read every block of further records at every node, and mend; return how many records.

        Goes on where the last call ended. Raises IndexUnavailable.
        """
        until, read = time.monotonic() + seconds, 0
        away: dict[str, str] = {}
        for row in self._rows(self._read_up_to):
            for root in self._wanted(row):
                for name in self.replicas.nodes():
                    if name not in away:
                        self._bring(name, root, row, away)
            read += 1
            self._read_up_to = version_name(row.record_id, row.version)
            if time.monotonic() >= until:
                return read
        self._read_up_to = ""
        return read

    def _bring(self, name: str, root: Cid, row: VersionRow, away: dict[str, str]) -> bool:
        """Make a blob whole at a node; tell whether it is. A node that does not answer is ``away`` then."""
        try:
            blocks = self.replicas.make_whole(name, root)
            if not self._stands(row):  # erased meanwhile: its pins are gone, and this one goes too
                self.replicas.unpin_at(name, root)
                return False
        except IntegrityError as failure:
            _LOG.error("no node has the whole of a blob", extra={"code": failure.code, "root": root})
            return False
        except Unavailable as failure:
            away[name] = failure.code
            return False
        if blocks:
            _LOG.warning("a node was mended", extra={"node": name, "root": root, "blocks": blocks})
        return True

    def _rows(self, after: str) -> Iterator[VersionRow]:
        while True:
            rows, after = self._records.page(after, _PAGE)
            for row in rows:
                if self._stop.is_set():
                    return
                yield row
            if not after:
                return

    def _wanted(self, row: VersionRow) -> list[Cid]:
        if not self._stands(row):
            return []
        try:
            return list(self._roots(row))
        except (AssentError, SecretNotFound):
            return []  # erased just now, or damaged: 'assent fsck' tells

    def _stands(self, row: VersionRow) -> bool:
        return not self._erases(row.subject, row.record_id)

    def _pins_at(self, name: str, away: dict[str, str]) -> set[Cid]:
        try:
            self.replicas.check_at(name)
            return self.replicas.pins_at(name)
        except AssentError as failure:
            away[name] = failure.code
            return set()

    def _run(self) -> None:
        while True:
            try:
                self.round()
                self.read_on(self._interval_seconds * _READING_SHARE)
            except AssentError as failure:
                _LOG.warning("pins were not looked at", extra={"code": failure.code})
            except Exception:  # noqa: BLE001 - nothing may end the thread; it is logged
                _LOG.exception("pins were not looked at, unexpectedly")
            if self._stop.wait(self._interval_seconds):
                return
