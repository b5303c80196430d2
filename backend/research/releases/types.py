"""Entries of the release ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NewType

from backend.research.canonical import digest_of
from backend.research.types import StudyId
from backend.types import UnixSeconds

Mark = NewType("Mark", bytes)  # 16 bytes: a patient, under the key of one study
Members = Mapping[Mark, int]  # the class that each patient of a release was in


@dataclass(frozen=True, slots=True)
class ReleaseEntry:
    """One release. ``release_id`` is the digest of who was in which class; ``k`` was promised for it.

    ``digest`` is over all other fields and ``previous``, the digest of the entry before (the first: zeros).
    """

    ledger: str
    place: int
    release_id: bytes
    study: StudyId
    k: int
    patients: int
    at: UnixSeconds
    previous: bytes
    digest: bytes

    def computed_digest(self) -> bytes:
        return digest_of(
            [
                "assent-release-entry-1",
                self.ledger,
                self.place,
                self.release_id.hex(),
                self.study.hex(),
                self.k,
                self.patients,
                self.at,
                self.previous.hex(),
            ]
        )
