"""Exports of studies and keys of researchers in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from backend.records.sealing import RecipientKey, RecipientPrivateKey
from backend.research.exports.keeping import ExportKeeper
from backend.research.types import StudyId
from backend.types import MemberId, SubjectId


@dataclass
class MemoryExportStore:
    kept: dict[tuple[bytes, int], tuple[StudyId, bytes, frozenset[SubjectId]]] = field(default_factory=dict)

    def put(
        self, study: StudyId, export: bytes, number: int, part: bytes, *, subjects: Sequence[SubjectId]
    ) -> None:
        self.kept[export, number] = (study, part, frozenset(subjects))

    def count(self, export: bytes) -> int:
        return sum(name == export for name, _ in self.kept)

    def parts(self, export: bytes) -> Iterator[bytes]:
        return (self.kept[key][1] for key in sorted(self.kept) if key[0] == export)

    def drop(self, export: bytes) -> None:
        self.kept = {key: found for key, found in self.kept.items() if key[0] != export}

    def keep_only(self, study: StudyId, export: bytes) -> None:
        self.kept = {key: found for key, found in self.kept.items() if found[0] != study or key[0] == export}


@dataclass
class MemoryRecipients:
    key: RecipientPrivateKey | None = None

    def of_member(self, member: MemberId) -> RecipientKey | None:
        return None if self.key is None else self.key.public


def keeper(store: MemoryExportStore, recipients: MemoryRecipients, *, now: int) -> ExportKeeper:
    return ExportKeeper(
        tenant=MemberId(b"t" * 32),
        recipients=recipients,  # type: ignore[arg-type]
        store=store,
        clock=lambda: now,
    )
