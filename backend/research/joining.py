"""From when on each patient takes part in protected answers: a patient's own cap counts what is spent since.

Who first takes part together stands in one entry, with what had been spent until then. The entries are a
chain whose newest one the audit log knows: a mark that were taken away would let a patient begin anew, with a
whole cap.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from backend.errors import IntegrityError
from backend.research.canonical import digest_of
from backend.research.errors import LedgerBusy, PrivacyMarksDamaged, PrivacyMarksRolledBack
from backend.research.logged_chain import ChainLog, LoggedChain, head_at
from backend.research.types import ChainHead, NanoRho
from backend.types import SubjectId, UnixSeconds

MAX_TOGETHER: Final = 50_000  # patients of an entry: 600 KB
_ATTEMPTS: Final = 64


@dataclass(frozen=True, slots=True)
class JoinEntry:
    """Patients who take part from when ``spent`` (nano-rho) had been spent. ``nonce``: 16 random bytes, so
    that no two entries are alike. ``digest`` is over all other fields and ``previous``, and not over who they
    are, of whom each can be erased."""

    ledger: str
    place: int
    nonce: bytes
    spent: NanoRho
    at: UnixSeconds
    previous: bytes
    digest: bytes

    def computed_digest(self) -> bytes:
        return digest_of(
            [
                "assent-privacy-join-1",
                self.ledger,
                self.place,
                self.nonce.hex(),
                self.spent,
                self.at,
                self.previous.hex(),
            ]
        )


class JoinStore(Protocol):
    """Durable, append-only. Every method raises Unavailable when the store does not answer."""

    def entries(self, ledger: str) -> Iterator[tuple[JoinEntry, Collection[SubjectId]]]:
        """All entries in order of place, each with its patients but for those erased since; raises
        IntegrityError for one that this service did not write."""
        ...

    def append(self, entry: JoinEntry, subjects: Collection[SubjectId]) -> bool:
        """Store the entry unless its place is taken; tell whether it was stored. True means durable."""
        ...


class Joining:
    """The marks of one privacy ledger. Safe to use from many threads and processes at once."""

    def __init__(self, *, store: JoinStore, log: ChainLog, ledger: str, clock: Callable[[], int]) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._turn = threading.Lock()  # guards the chain
        self._chain = LoggedChain(
            ledger, log, damaged=PrivacyMarksDamaged, rolled_back=PrivacyMarksRolledBack
        )

    def open(self, noted: ChainHead | None) -> ChainHead:
        """Check every entry at start, against the newest head that the audit log has; return the newest.

        Raises PrivacyMarksRolledBack, PrivacyMarksDamaged and what the log raises.
        """
        with self._turn:
            return self._chain.open(self._read(())[0], noted)

    def join(self, subjects: Sequence[SubjectId], spent: NanoRho) -> dict[SubjectId, NanoRho]:
        """Mark patients as taking part from now on; return what had been spent when each first did.

        Durable and in the audit log on return. A mark never moves. Raises LedgerBusy, PrivacyMarksDamaged,
        PrivacyMarksRolledBack.
        """
        with self._turn:
            for _ in range(_ATTEMPTS):
                entries, found = self._read(subjects)
                self._chain.verified(entries)
                missing = sorted(set(subjects) - found.keys())
                if not missing:
                    self._chain.note(entries)
                    return found
                # Another process may have taken the place meanwhile: then its patients are looked at, too.
                self._store.append(self._next(entries, spent), missing[:MAX_TOGETHER])
            raise LedgerBusy

    def _read(self, wanted: Sequence[SubjectId]) -> tuple[list[JoinEntry], dict[SubjectId, NanoRho]]:
        looked_for = frozenset(wanted)
        entries: list[JoinEntry] = []
        found: dict[SubjectId, NanoRho] = {}
        try:
            for entry, subjects in self._store.entries(self._ledger):
                entries.append(entry)
                for subject in looked_for.intersection(subjects):
                    found.setdefault(subject, entry.spent)
        except IntegrityError as fault:
            raise PrivacyMarksDamaged from fault
        return entries, found

    def _next(self, entries: Sequence[JoinEntry], spent: NanoRho) -> JoinEntry:
        entry = JoinEntry(
            ledger=self._ledger,
            place=len(entries),
            nonce=secrets.token_bytes(16),
            spent=spent,
            at=UnixSeconds(self._clock()),
            previous=head_at(self._ledger, entries, len(entries)).digest,
            digest=b"",
        )
        return replace(entry, digest=entry.computed_digest())
