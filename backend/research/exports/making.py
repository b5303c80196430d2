"""From the permitted records of those who take part to the files of an export.

What was copied of a patient is held compressed until all are there: only then is it known that there are
enough of them.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.research.anonymize.errors import CohortTooSmall
from backend.research.cohort import CHUNK, respecting_minimum
from backend.research.deidentify.copying import Export, deidentify
from backend.research.deidentify.errors import ExportInvalid
from backend.research.deidentify.tally import Tally
from backend.research.exports.types import ExportFile
from backend.research.types import Candidate
from backend.types import RecordId, SubjectId

MINIMUM_PATIENTS: Final = 11  # in an export: the least cell of an open release, as usual for public use files

_Lines = Mapping[str, bytes]  # compressed NDJSON of one patient by resource type


@dataclass(frozen=True, slots=True)
class MadeExport:
    """``subjects`` are those whose records it holds, in its order, and ``records`` what it was made of: both
    for the custodian alone. ``removed`` counts what de-identification took away or changed, by rule."""

    files: tuple[ExportFile, ...]
    removed: Mapping[str, int]
    subjects: tuple[SubjectId, ...]
    records: tuple[tuple[SubjectId, RecordId], ...]
    _lines: Mapping[SubjectId, _Lines]

    def content(self, file: ExportFile) -> Iterator[bytes]:
        """A file's bytes, patient by patient."""
        return _content(file.resource_type, self.subjects, self._lines)

    def as_json(self) -> dict[str, Any]:
        """Canonical-JSON material of what leaves: by the digests of the files, of every byte of them."""
        return {
            "files": [file.as_json() for file in self.files],
            "patients": len(self.subjects),
            "removed": dict(sorted(self.removed.items())),
        }


def make(
    candidates: Sequence[Candidate], export: Export, *, minimum: int, order: Callable[[SubjectId], bytes]
) -> MadeExport:
    """De-identify the records of the candidates, in the order of their sort keys.

    Whoever's Patient resource may not be opened is left out: nobody could say how old they are. Raises
    CohortTooSmall where fewer than ``minimum`` and MINIMUM_PATIENTS are left, and what opening raises.
    """
    least = max(minimum, MINIMUM_PATIENTS)
    lines: dict[SubjectId, _Lines] = {}
    tallies: dict[SubjectId, Tally] = {}
    records: dict[SubjectId, list[RecordId]] = {}
    group = respecting_minimum(candidates, least)
    for candidate in _ahead(group):
        if candidate.individual is None:
            continue
        opened = candidate.individual.records()
        try:
            copied = deidentify(opened, candidate.subject, export)
        except ExportInvalid:
            continue
        lines[candidate.subject] = _compressed(copied.resources)
        tallies[candidate.subject] = copied.tally
        records[candidate.subject] = [record.record_id for record in opened]
    staying = [each.subject for each in respecting_minimum([c for c in group if c.subject in lines], least)]
    if not staying:
        raise CohortTooSmall
    subjects = tuple(sorted(staying, key=order))
    removed: Tally = Tally()
    for subject in subjects:
        removed += tallies[subject]
    kinds = sorted({kind for subject in subjects for kind in lines[subject]})
    files = tuple(_file(kind, _content(kind, subjects, lines)) for kind in kinds)
    counted = {rule.value: number for rule, number in removed.items()}
    return MadeExport(
        files,
        counted,
        subjects,
        tuple((subject, record) for subject in sorted(subjects) for record in records[subject]),
        {subject: lines[subject] for subject in subjects},
    )


def _ahead(group: Sequence[Candidate]) -> Iterator[Candidate]:
    for start in range(0, len(group), CHUNK):
        chunk = group[start : start + CHUNK]
        if chunk[0].individual is not None:
            chunk[0].individual.ahead([candidate.subject for candidate in chunk])
        yield from chunk


def _compressed(resources: Iterable[tuple[str, str]]) -> _Lines:
    """By type; the ids, which are random, set the order."""
    by_type: dict[str, list[str]] = {}
    for kind, text in resources:
        by_type.setdefault(kind, []).append(f"{text}\n")
    return {kind: zlib.compress("".join(sorted(texts)).encode()) for kind, texts in by_type.items()}


def _content(kind: str, subjects: Iterable[SubjectId], lines: Mapping[SubjectId, _Lines]) -> Iterator[bytes]:
    for subject in subjects:
        packed = lines[subject].get(kind)
        if packed is not None:
            yield zlib.decompress(packed)


def _file(kind: str, content: Iterable[bytes]) -> ExportFile:
    digest, size, resources = hashlib.sha256(), 0, 0
    for piece in content:
        digest.update(piece)
        size += len(piece)
        resources += piece.count(b"\n")
    return ExportFile(kind, resources, size, digest.digest())
