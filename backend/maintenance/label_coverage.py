"""``assent labels coverage``: how much of a folder of FHIR documents the label tables know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.errors import InvalidInput
from backend.maintenance.importing import bundles_in
from backend.records.fhir import conforming_document
from backend.records.fhir_bundle import Bundle
from backend.records.label_coverage import Coverage, coverage
from backend.records.label_tables import LabelTables


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that is not counted, and why."""

    file: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class DataSet:
    """The coverage of a folder by the tables of one digest."""

    tables: str
    files: int
    coverage: Coverage
    refused: tuple[Refusal, ...]


def cover(folder: Path, tables: LabelTables) -> DataSet:
    """Count what the tables do not know in the folder's .json files. Raises NothingToImport."""
    paths = bundles_in(folder)
    refused: list[Refusal] = []

    def documents() -> Iterator[Bundle]:
        for path in paths:
            try:
                yield conforming_document(path.read_bytes())
            except InvalidInput as fault:
                detail = fault.detail if fault.field is None else f"{fault.field}: {fault.detail}"
                refused.append(Refusal(path.name, fault.code, detail))
            except OSError as failure:
                refused.append(Refusal(path.name, "file_unreadable", failure.strerror or ""))

    found = coverage(documents(), tables)
    return DataSet(tables.digest, len(paths), found, tuple(refused))
