"""The release ledger: a table goes out only after it was checked against all that went out before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from backend.research.anonymize.refusals import ReleaseOverlap
from backend.research.ports import StudyKeys
from backend.research.pseudonyms import release_mark
from backend.research.releases.errors import ReleaseLedgerBusy, ReleaseLedgerDamaged
from backend.research.releases.overlap import ABSENT, keeps_promises
from backend.research.releases.ports import ReleaseStore
from backend.research.releases.types import NO_DIGEST, Mark, Members, ReleaseEntry
from backend.research.types import StudyId
from backend.types import SubjectId, UnixSeconds

MAX_ATTEMPTS = 64


class ReleaseLedger:
    """One ledger a custodian. ``ledger`` is its name."""

    def __init__(
        self, *, store: ReleaseStore, keys: StudyKeys, ledger: str, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._keys = keys
        self._ledger = ledger
        self._clock = clock

    def admit(self, study: StudyId, k: int, class_of: Mapping[SubjectId, int]) -> ReleaseEntry:
        """Enter a release, durably, before anything of it leaves; the same release again changes nothing.

        ``class_of`` tells the class of everybody in it. Raises ReleaseOverlap when somebody in it would be
        among fewer than was promised, given all releases before; ReleaseLedgerBusy; what the store raises.
        """
        subjects = list(class_of)
        classes = [class_of[subject] for subject in subjects]
        own = dict(zip(self._marks(study, subjects), classes, strict=True))
        release_id = _release_id(study, own)
        known: dict[bytes, list[int]] = {}
        for _ in range(MAX_ATTEMPTS):
            entries = self.verify()
            found = next((entry for entry in entries if entry.release_id == release_id), None)
            if found is not None:
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
                return entry
        raise ReleaseLedgerBusy

    def verify(self) -> Sequence[ReleaseEntry]:
        """Return all entries; raise ReleaseLedgerDamaged unless they are one chain."""
        entries = self._store.entries(self._ledger)
        previous = NO_DIGEST
        for place, entry in enumerate(entries):
            if entry.place != place or entry.previous != previous or entry.digest != entry.computed_digest():
                raise ReleaseLedgerDamaged
            previous = entry.digest
        return entries

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
            previous=entries[-1].digest if entries else NO_DIGEST,
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
