"""Values and the store of exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from backend.research.types import StudyId
from backend.types import RecordId, SubjectId


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One NDJSON file: ``size_bytes`` and ``sha256`` (32 bytes) of the file as it is in the package."""

    resource_type: str
    resources: int
    size_bytes: int
    sha256: bytes

    @property
    def name(self) -> str:
        """As in FHIR Bulk Data exports."""
        return f"{self.resource_type}.ndjson"

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.resource_type,
            "count": self.resources,
            "bytes": self.size_bytes,
            "sha256": self.sha256.hex(),
        }


@dataclass(frozen=True, slots=True)
class KeptExport:
    """Where a run's sealed export lies. ``export`` (16 bytes) is drawn for it; ``release`` has 32 bytes.

    ``records`` are all that it was made of, each with its patient.
    """

    export: bytes
    parts: int
    release: bytes
    records: tuple[tuple[SubjectId, RecordId], ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "export": self.export.hex(),
            "parts": self.parts,
            "release": self.release.hex(),
            "records": [[f"{subject:024x}", record.hex()] for subject, record in self.records],
        }

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> KeptExport:
        records = (
            (SubjectId(int(subject, 16)), RecordId(bytes.fromhex(record)))
            for subject, record in item["records"]
        )
        return cls(
            bytes.fromhex(item["export"]), item["parts"], bytes.fromhex(item["release"]), tuple(records)
        )


class ExportStore(Protocol):
    """Sealed exports in parts. All raise IndexUnavailable; writes are durable on return."""

    def put(
        self, study: StudyId, export: bytes, number: int, part: bytes, *, subjects: Sequence[SubjectId]
    ) -> None:
        """Store a part. ``subjects`` are those whose records are in the export: each is erased with them."""

    def count(self, export: bytes) -> int:
        """How many parts there are."""

    def parts(self, export: bytes) -> Iterator[bytes]:
        """In order."""

    def drop(self, export: bytes) -> None:
        """Delete an export; nothing where there is none."""

    def keep_only(self, study: StudyId, export: bytes) -> None:
        """Delete the study's other exports."""
