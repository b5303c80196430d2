"""Marks of idempotency keys in MongoDB: an insert that succeeds once."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import translated
from backend.adapters.index.server import IndexUnavailable
from backend.idempotency import Mark
from backend.types import UnixSeconds


class MongoMarks:
    """Implements ``backend.idempotency.Marks``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._marks = database["idempotency"]

    def begin(self, mark: Mark) -> Mark:
        document = {
            "_id": mark.mark_id,
            "fingerprint": mark.fingerprint,
            "begun_at": mark.begun_at,
            "finished": mark.finished,
        }
        with translated():
            try:
                self._marks.insert_one(document)
            except DuplicateKeyError:
                found = self._marks.find_one({"_id": mark.mark_id})
                if found is None:
                    raise IndexUnavailable("index: a mark came and went") from None
                return Mark(
                    mark.mark_id,
                    found["fingerprint"],
                    UnixSeconds(found["begun_at"]),
                    bool(found["finished"]),
                )
        return mark

    def finish(self, mark_id: str) -> None:
        with translated():
            self._marks.update_one({"_id": mark_id}, {"$set": {"finished": True}})
