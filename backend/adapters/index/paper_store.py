"""Consents on paper in MongoDB: one document a paper, moved by compare-and-swap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.database import Database

from backend.adapters.index.failures import parser, translated
from backend.consent.paper_types import PaperRow
from backend.types import ConsentId, SubjectId

_WITHOUT_SCAN: Final = {"scan": 0}


class MongoPaperStore:
    """Implements ``backend.consent.paper_types.PaperStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._papers = database["papers"]
        with translated():
            self._papers.create_index([("state", ASCENDING)])
            self._papers.create_index([("consent", ASCENDING)])

    def insert(self, row: PaperRow) -> None:
        with translated():
            self._papers.insert_one(
                {
                    "_id": row.paper_id,
                    "subject": f"{row.subject:024x}",
                    "consent": row.consent.hex(),
                    "scan": row.scan,
                    **_members(row),
                }
            )

    def replace(self, row: PaperRow) -> bool:
        with translated():
            changed = self._papers.update_one(
                {"_id": row.paper_id, "revision": row.revision - 1}, {"$set": _members(row)}
            )
        return changed.matched_count == 1

    def get(self, paper_id: str) -> PaperRow | None:
        with translated():
            found = self._papers.find_one({"_id": paper_id}, _WITHOUT_SCAN)
        return None if found is None else _row(found)

    def scan(self, paper_id: str) -> bytes | None:
        with translated():
            found = self._papers.find_one({"_id": paper_id})
        return None if found is None else bytes(found["scan"])

    def of_consent(self, consent: ConsentId) -> PaperRow | None:
        with translated():
            found = self._papers.find_one({"consent": consent.hex()}, _WITHOUT_SCAN)
        return None if found is None else _row(found)

    def in_state(self, state: str) -> Sequence[PaperRow]:
        with translated():
            found = self._papers.find({"state": state}, _WITHOUT_SCAN).sort("_id", ASCENDING)
            return [_row(document) for document in found]


def _members(row: PaperRow) -> dict[str, Any]:
    return {"state": row.state, "revision": row.revision, "sealed": row.sealed}


@parser
def _row(found: Mapping[str, Any]) -> PaperRow:
    return PaperRow(
        paper_id=found["_id"],
        subject=SubjectId(int(found["subject"], 16)),
        state=found["state"],
        revision=found["revision"],
        consent=ConsentId(bytes.fromhex(found["consent"])),
        sealed=bytes(found["sealed"]),
    )
