"""A chain of entries in the index whose newest one the audit log knows, so that none can be taken away.

Order: entry durable, head in the audit log, what the entry stands for goes out. So nothing went out of which
the log does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from backend.errors import IntegrityError
from backend.research.types import NO_DIGEST, ChainHead


class Link(Protocol):
    """``digest`` is over all that the entry says for good and ``previous``, the digest of the one before."""

    @property
    def place(self) -> int: ...
    @property
    def previous(self) -> bytes: ...
    @property
    def digest(self) -> bytes: ...
    def computed_digest(self) -> bytes: ...


L = TypeVar("L", bound=Link)


class ChainLog(Protocol):
    """The audit log as the witness of a chain."""

    def note(self, head: ChainHead) -> None:
        """Durable on return. The same head again changes nothing."""
        ...


class LoggedChain:
    """What one process knows of a chain. Its callers take turns: heads stand in the log in their order.

    ``damaged`` and ``rolled_back`` are raised where an entry is another one, or is missing.
    """

    def __init__(
        self,
        ledger: str,
        log: ChainLog,
        *,
        damaged: type[IntegrityError],
        rolled_back: type[IntegrityError],
    ) -> None:
        self._ledger = ledger
        self._log = log
        self._damaged = damaged
        self._rolled_back = rolled_back
        self._known = ChainHead(ledger, 0, NO_DIGEST)

    def open(self, entries: Sequence[Link], noted: ChainHead | None) -> ChainHead:
        """Check all entries at start, against the newest head that the audit log has; return their head."""
        self._known = noted or ChainHead(self._ledger, 0, NO_DIGEST)
        self.verified(entries)
        self.note(entries)  # a crash may have come between an entry and its head in the log
        return self._known

    def verified(self, entries: Sequence[L]) -> Sequence[L]:
        """Return the entries, given in order of place: one chain that has all that the log knows."""
        previous = NO_DIGEST
        for place, entry in enumerate(entries):
            if entry.place != place:
                raise self._rolled_back
            if entry.previous != previous or entry.digest != entry.computed_digest():
                raise self._damaged
            previous = entry.digest
        if self._known != head_at(self._ledger, entries, self._known.count):
            raise self._rolled_back
        return entries

    def note(self, entries: Sequence[Link]) -> None:
        """Have the log know of all of these."""
        if len(entries) > self._known.count:
            head = head_at(self._ledger, entries, len(entries))
            self._log.note(head)
            self._known = head


def head_at(ledger: str, entries: Sequence[Link], count: int) -> ChainHead:
    """The head of a chain when it had so many entries, or has fewer."""
    known = entries[:count]
    return ChainHead(ledger, len(known), known[-1].digest if known else NO_DIGEST)
