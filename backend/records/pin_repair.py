"""Finds what a node of the block store lost or missed, and brings it there from another node.

A round compares what the nodes pin, and restores what one of them lacks. Then, for a part of the time until
the next round, it reads every block of some more records at every node: a pin does not show that a block was
lost or altered. The records tell what is wanted, never a node: one that was away while something was erased
must not bring it back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from backend.errors import AssentError, IntegrityError, Unavailable
from backend.keystore import SecretNotFound
from backend.records.blocks import Cid
from backend.records.manifest import version_name
from backend.records.ports import VersionRow
from backend.records.storage_ports import Replicas, StorageFull
from backend.recurring import Recurring
from backend.types import RecordId, SubjectId

_LOG = logging.getLogger("assent.storage")
_PAGE: Final = 500
_UNNAMED_SECONDS: Final = 3600.0  # then it is looked up again: a record may have been being stored
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


class PinRepair(Recurring):
    """``roots`` gives what a version consists of; ``erases`` whether a record is being erased."""

    def __init__(
        self,
        *,
        replicas: Replicas,
        records: RecordPages,
        roots: Callable[[VersionRow], Iterable[Cid]],
        erases: Callable[[SubjectId, RecordId | None], bool],
        interval_seconds: float,
    ) -> None:
        super().__init__(
            name="pin-repair", every_seconds=interval_seconds, log=_LOG, failing="pins were not looked at"
        )
        self.replicas = replicas
        self._records = records
        self._roots = roots
        self._erases = erases
        self._read_up_to = ""
        self._unnamed: set[Cid] = set()  # pins that no record names, for a while
        self._unnamed_until = 0.0
        self._nowhere: dict[Cid, VersionRow] = {}  # pinned, and whole on no node
        self.last: Round | None = None

    def round(self) -> Round:
        """Restore pins. Raises IndexUnavailable.

        Records are opened only where nodes differ: with all of them alike there is nothing to look up.
        """
        away: dict[str, str] = {}
        answering, pins, lacking = self._compare(away)
        below = restored = 0
        missing = dict.fromkeys(answering, 0)
        for row, root in self._named(lacking):
            still = [name for name in lacking[root] if not self._bring(name, root, row, away)]
            restored += len(lacking[root]) - len(still)
            if not self._stands(row):
                continue
            below += len(answering) - len(still) < self.replicas.needed
            for name in still:
                missing[name] += 1
        if len(answering) < self.replicas.needed:
            below += pins - len(lacking)
        below += sum(1 for root, row in self._nowhere.items() if root not in lacking and self._stands(row))
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
                whole = [self._bring(name, root, row, away) for name in self.replicas.nodes()]
                if any(whole):
                    self._nowhere.pop(root, None)
                elif not away:
                    self._nowhere[root] = row
            read += 1
            self._read_up_to = version_name(row.record_id, row.version)
            if time.monotonic() >= until:
                return read
        self._read_up_to = ""
        return read

    def _compare(self, away: dict[str, str]) -> tuple[list[str], int, dict[Cid, set[str]]]:
        """Return the nodes that answer, how many roots any of them pins, and which of them lack which.

        Two listings at a time are in memory, however many nodes there are.
        """
        answering: list[str] = []
        known: set[Cid] = set()
        lacking: dict[Cid, set[str]] = {}
        for name in self.replicas.nodes():
            try:
                self.replicas.check_at(name)
                pins = self.replicas.pins_at(name)
            except AssentError as failure:
                away[name] = failure.code
                continue
            for root in known - pins:
                lacking.setdefault(root, set()).add(name)
            more = pins - known
            for root in more if answering else ():
                lacking[root] = set(answering)
            known |= more
            answering.append(name)
        return answering, len(known), lacking

    def _named(self, roots: Collection[Cid]) -> Iterator[tuple[VersionRow, Cid]]:
        """Find the versions that these roots are of: none for what was erased, or is being stored."""
        if time.monotonic() >= self._unnamed_until:
            self._unnamed.clear()
        left = set(roots) - self._unnamed
        for row in self._rows("") if left else ():
            for root in left.intersection(self._wanted(row)):
                left.discard(root)
                yield row, root
            if not left:
                return
        if left and not self._ending.is_set():
            if not self._unnamed:
                self._unnamed_until = time.monotonic() + _UNNAMED_SECONDS
            self._unnamed |= left

    def _bring(self, name: str, root: Cid, row: VersionRow, away: dict[str, str]) -> bool:
        """Make a blob whole at a node; tell whether it is. A node that cannot take it is ``away`` then."""
        if name in away:
            return False
        try:
            blocks = self.replicas.make_whole(name, root)
            if not self._stands(row):  # erased meanwhile: its pins are gone, and this one goes too
                self.replicas.unpin_at(name, root)
                return False
        except IntegrityError as failure:
            _LOG.error("a blob is not whole", extra={"code": failure.code, "root": root, "node": name})
            return False
        except Unavailable as failure:
            self._note_away(name, failure, away)
            return False
        if blocks:
            _LOG.warning("a node was mended", extra={"node": name, "root": root, "blocks": blocks})
        return True

    def _note_away(self, name: str, failure: Unavailable, away: dict[str, str]) -> None:
        """It may be another node that is away, which alone has a block."""
        if isinstance(failure, StorageFull):
            away[name] = failure.code
            return
        try:
            self.replicas.check_at(name)
        except AssentError as reason:
            away[name] = reason.code

    def _rows(self, after: str) -> Iterator[VersionRow]:
        while True:
            rows, after = self._records.page(after, _PAGE)
            for row in rows:
                if self._ending.is_set():
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

    def _round(self) -> None:
        self.round()
        self.read_on(self._every_seconds * _READING_SHARE)
