"""Sealed exports of studies in MongoDB: a document a part, with those whose records are in the export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from backend.adapters.index.failures import translated
from backend.research.types import StudyId
from backend.types import SubjectId


class MongoExportStore:
    """Implements ``backend.research.exports.types.ExportStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._parts = database["research_exports"]
        with translated():
            self._parts.create_index([("export", ASCENDING)])
            self._parts.create_index([("study", ASCENDING)])

    def put(
        self, study: StudyId, export: bytes, number: int, part: bytes, *, subjects: Sequence[SubjectId]
    ) -> None:
        document = {
            "_id": f"{export.hex()}/{number:06d}",
            "study": study.hex(),
            "export": export.hex(),
            # In order of subject: theirs in the export is nobody's business.
            "subjects": [f"{subject:024x}" for subject in sorted(subjects)],
            "sealed": part,
        }
        with translated():
            self._parts.insert_one(document)

    def count(self, export: bytes) -> int:
        with translated():
            return self._parts.count_documents({"export": export.hex()})

    def parts(self, export: bytes) -> Iterator[bytes]:
        with translated():
            names = [each["_id"] for each in self._parts.find({"export": export.hex()}, {"_id": 1})]
        for name in sorted(names):
            with translated():
                found = self._parts.find_one({"_id": name}, {"sealed": 1})
            if found is None:
                return  # erased meanwhile: what was sent does not open
            yield bytes(found["sealed"])

    def drop(self, export: bytes) -> None:
        with translated():
            self._parts.delete_many({"export": export.hex()})

    def keep_only(self, study: StudyId, export: bytes) -> None:
        with translated():
            self._parts.delete_many({"study": study.hex(), "export": {"$ne": export.hex()}})
