"""What the ethics board keeps, in MongoDB: its files and the papers of studies, both sealed, and which runs
were released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.research.board.ports import CaseRow, DocumentRow, StudyRun
from backend.research.types import StudyId
from backend.sealed import require_schema
from backend.types import UnixSeconds

_SCHEMA: Final = 1


class MongoCaseStore:
    """Implements ``backend.research.board.ports.CaseStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._cases = database["board_cases"]

    def get(self, study: StudyId) -> CaseRow | None:
        with translated():
            found = self._cases.find_one({"_id": study.hex()})
        return None if found is None else case_of(found)

    def put(self, row: CaseRow) -> bool:
        content = {"schema": _SCHEMA, "version": row.version, "sealed": row.sealed}
        with translated():
            if row.version == 1:
                try:
                    self._cases.insert_one({"_id": row.study.hex(), **content})
                except DuplicateKeyError:
                    return False
                return True
            changed = self._cases.update_one(
                {"_id": row.study.hex(), "version": row.version - 1}, {"$set": content}
            )
        return changed.matched_count == 1


class MongoDocumentStore:
    """Implements ``backend.research.board.ports.DocumentStore``: one document a paper."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._documents = database["study_documents"]
        with translated():
            self._documents.create_index([("study", ASCENDING)])

    def put(self, row: DocumentRow) -> None:
        with translated(), suppress(DuplicateKeyError):
            self._documents.insert_one(
                {
                    "_id": f"{row.study.hex()}/{row.sha256.hex()}",
                    "schema": _SCHEMA,
                    "study": row.study.hex(),
                    "sealed": row.sealed,
                    "stored_at": row.stored_at,
                }
            )

    def get(self, study: StudyId, sha256: bytes) -> DocumentRow | None:
        with translated():
            found = self._documents.find_one({"_id": f"{study.hex()}/{sha256.hex()}"})
        return None if found is None else document_of(found)

    def present(self, study: StudyId) -> Mapping[bytes, UnixSeconds]:
        with translated():
            found = list(self._documents.find({"study": study.hex()}, {"sealed": 0}))
        return dict(map(_arrival, found))


class MongoRunStore:
    """Implements ``backend.research.board.ports.RunStore``: one document a released result."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._runs = database["study_runs"]
        with translated():
            self._runs.create_index([("study", ASCENDING)])

    def record(self, run: StudyRun) -> None:
        with translated(), suppress(DuplicateKeyError):
            self._runs.insert_one(
                {
                    "_id": run.result.hex(),
                    "schema": _SCHEMA,
                    "study": run.study.hex(),
                    "run": run.run_id.hex(),
                    "table": run.table.hex(),
                    "at": run.at,
                }
            )

    def of_study(self, study: StudyId) -> Sequence[StudyRun]:
        with translated():
            found = list(self._runs.find({"study": study.hex()}).sort("at", ASCENDING))
        return [run_of(document) for document in found]


@parser
def case_of(document: Mapping[str, Any]) -> CaseRow:
    require_schema(document["schema"], _SCHEMA)
    return CaseRow(
        study=StudyId(bytes.fromhex(document["_id"])),
        version=document["version"],
        sealed=bytes(document["sealed"]),
    )


@parser
def document_of(document: Mapping[str, Any]) -> DocumentRow:
    require_schema(document["schema"], _SCHEMA)
    study, _, sha256 = document["_id"].partition("/")
    if document["study"] != study:
        raise ValueError("of another study than its name says")
    return DocumentRow(
        study=StudyId(bytes.fromhex(study)),
        sha256=bytes.fromhex(sha256),
        sealed=bytes(document["sealed"]),
        stored_at=UnixSeconds(document["stored_at"]),
    )


@parser
def _arrival(document: Mapping[str, Any]) -> tuple[bytes, UnixSeconds]:
    return bytes.fromhex(document["_id"].partition("/")[2]), UnixSeconds(document["stored_at"])


@parser
def run_of(document: Mapping[str, Any]) -> StudyRun:
    return StudyRun(
        study=StudyId(bytes.fromhex(document["study"])),
        run_id=bytes.fromhex(document["run"]),
        result=bytes.fromhex(document["_id"]),
        table=bytes.fromhex(document["table"]),
        at=UnixSeconds(document["at"]),
    )
