"""Key slots in MongoDB: one document a patient and kind, changed by compare-and-swap on its revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.records.ports import SlotRow
from backend.types import SubjectId


class MongoSlotIndex:
    """Implements ``backend.records.ports.SlotIndex``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._slots = database["key_slots"]
        with translated():
            self._slots.create_index([("subject", ASCENDING)])

    def find(self, name: str) -> SlotRow | None:
        with translated():
            found = self._slots.find_one({"_id": name})
        return None if found is None else _row(found)

    def replace(self, row: SlotRow) -> bool:
        document = {"subject": f"{row.subject:024x}", "revision": row.revision, "sealed": row.sealed}
        with translated():
            if row.revision == 1:
                try:
                    self._slots.insert_one({"_id": row.name, **document})
                except DuplicateKeyError:
                    return False
                return True
            before = {"_id": row.name, "revision": row.revision - 1}
            return self._slots.update_one(before, {"$set": document}).matched_count == 1

    def of_subject(self, subject: SubjectId) -> Sequence[SlotRow]:
        with translated():
            return [_row(found) for found in self._slots.find({"subject": f"{subject:024x}"})]

    def erase_subject(self, subject: SubjectId) -> int:
        with translated():
            return self._slots.delete_many({"subject": f"{subject:024x}"}).deleted_count

    def everything(self) -> Sequence[SlotRow]:
        with translated():
            return [_row(found) for found in self._slots.find({}).sort("_id", ASCENDING)]


@parser
def _row(document: Mapping[str, Any]) -> SlotRow:
    return SlotRow(
        document["_id"], SubjectId(int(document["subject"], 16)), document["revision"], document["sealed"]
    )
