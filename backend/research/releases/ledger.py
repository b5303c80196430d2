"""The release ledger: a table goes out only after it was checked against all that went out before."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from backend.errors import IntegrityError
from backend.research.anonymize.refusals import ReleaseOverlap
from backend.research.logged_chain import ChainLog, LoggedChain, head_at
from backend.research.ports import StudyKeys
from backend.research.pseudonyms import release_mark
from backend.research.releases.errors import (
    ReleaseLedgerBusy,
    ReleaseLedgerDamaged,
    ReleaseLedgerRolledBack,
)
from backend.research.releases.overlap import ABSENT, keeps_promises
from backend.research.releases.ports import ReleaseStore
from backend.research.releases.types import Mark, Members, ReleaseEntry
from backend.research.types import ChainHead, StudyId
from backend.types import SubjectId, UnixSeconds

MAX_ATTEMPTS = 64


class ReleaseLedger:
    """One ledger a custodian. ``ledger`` is its name. Safe to use from many threads and processes at once."""

    def __init__(
        self,
        *,
        store: ReleaseStore,
        log: ChainLog,
        keys: StudyKeys,
        ledger: str,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._keys = keys
        self._ledger = ledger
        self._clock = clock
        self._turn = threading.Lock()  # guards the chain
        self._chain = LoggedChain(
            ledger, log, damaged=ReleaseLedgerDamaged, rolled_back=ReleaseLedgerRolledBack
        )

    def open(self, noted: ChainHead | None) -> ChainHead:
        """Check every row at start, against the newest head that the audit log has; return the ledger's head.

        Raises ReleaseLedgerRolledBack, ReleaseLedgerDamaged and what the log raises.
        """
        with self._turn:
            try:
                entries = self._store.entries(self._ledger)
                for entry in entries:
                    self._store.members(entry)
            except IntegrityError as fault:
                raise ReleaseLedgerDamaged from fault
            return self._chain.open(entries, noted)

    def admit(self, study: StudyId, k: int, class_of: Mapping[SubjectId, int]) -> ReleaseEntry:
        """Enter a release, durably and in the audit log, before anything of it leaves; the same release again
        changes nothing.

        ``class_of`` tells the class of everybody in it. Raises ReleaseOverlap when somebody in it would be
        among fewer than was promised, given all releases before; ReleaseLedgerBusy; what the store raises.
        """
        with self._turn:
            return self._admitted(study, k, class_of)

    def verify(self) -> Sequence[ReleaseEntry]:
        """Return all entries. Raises ReleaseLedgerDamaged, ReleaseLedgerRolledBack unless they are one chain
        that has all that this process knows of."""
        with self._turn:
            return self._verified()

    def _admitted(self, study: StudyId, k: int, class_of: Mapping[SubjectId, int]) -> ReleaseEntry:
        subjects = list(class_of)
        classes = [class_of[subject] for subject in subjects]
        own = dict(zip(self._marks(study, subjects), classes, strict=True))
        release_id = _release_id(study, own)
        known: dict[bytes, list[int]] = {}
        for _ in range(MAX_ATTEMPTS):
            entries = self._verified()
            found = next((entry for entry in entries if entry.release_id == release_id), None)
            if found is not None:
                self._chain.note(entries)
                return found
            for entry in entries:
                if entry.release_id not in known:
                    known[entry.release_id] = self._classes_in(entry, subjects)
            together = np.array([classes, *(known[entry.release_id] for entry in entries)], dtype=np.int64)
            if not keeps_promises(together, [k, *(entry.k for entry in entries)]):
                raise ReleaseOverlap
            entry = self._next(entries, study, k, release_id, len(subjects))
            # Another release may have taken the place meanwhile: then this one is checked against it too.
            if self._store.append(entry, own):
                self._chain.note([*entries, entry])
                return entry
        raise ReleaseLedgerBusy

    def _verified(self) -> Sequence[ReleaseEntry]:
        return self._chain.verified(self._store.entries(self._ledger))

    def _classes_in(self, entry: ReleaseEntry, subjects: Sequence[SubjectId]) -> list[int]:
        members = self._store.members(entry)
        return [members.get(mark, ABSENT) for mark in self._marks(entry.study, subjects)]

    def _marks(self, study: StudyId, subjects: Sequence[SubjectId]) -> list[Mark]:
        key = self._keys.study_key(study)
        return [release_mark(key, study, subject) for subject in subjects]

    def _next(
        self, entries: Sequence[ReleaseEntry], study: StudyId, k: int, release_id: bytes, patients: int
    ) -> ReleaseEntry:
        entry = ReleaseEntry(
            ledger=self._ledger,
            place=len(entries),
            release_id=release_id,
            study=study,
            k=k,
            patients=patients,
            at=UnixSeconds(self._clock()),
            previous=head_at(self._ledger, entries, len(entries)).digest,
            digest=b"",
        )
        return replace(entry, digest=entry.computed_digest())


def _release_id(study: StudyId, members: Members) -> bytes:
    """The same for the same people in the same classes, however these are numbered."""
    groups: dict[int, list[Mark]] = {}
    for mark in sorted(members):
        groups.setdefault(members[mark], []).append(mark)
    digest = hashlib.sha256(b"assent-release-1" + study)
    for marks in sorted(groups.values()):
        digest.update(len(marks).to_bytes(8) + b"".join(marks))
    return digest.digest()
