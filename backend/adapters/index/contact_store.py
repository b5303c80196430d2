"""Addresses for mail in MongoDB: one sealed file a patient, and counters that expire."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import translated
from backend.notices.contact_types import ContactRow
from backend.types import SubjectId, UnixSeconds


class MongoContactStore:
    """Implements ``backend.notices.ports.ContactStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._contacts = database["contacts"]
        self._counters = database["contact_counters"]
        with translated():
            self._contacts.create_index([("token", ASCENDING)])
            self._counters.create_index([("until", ASCENDING)])

    def get(self, subject: SubjectId) -> ContactRow | None:
        with translated():
            found = self._contacts.find_one({"_id": _key(subject)})
        if found is None:
            return None
        return ContactRow(
            subject=subject, sealed=found["sealed"], token_hash=found["token"], revision=found["revision"]
        )

    def put(self, row: ContactRow) -> bool:
        members = {"sealed": row.sealed, "token": row.token_hash, "revision": row.revision}
        with translated():
            if row.revision == 1:
                try:
                    self._contacts.insert_one({"_id": _key(row.subject), **members})
                except DuplicateKeyError:
                    return False
                return True
            changed = self._contacts.update_one(
                {"_id": _key(row.subject), "revision": row.revision - 1}, {"$set": members}
            )
        return changed.matched_count == 1

    def remove(self, subject: SubjectId, *, revision: int) -> bool:
        with translated():
            removed = self._contacts.delete_one({"_id": _key(subject), "revision": revision})
        return removed.deleted_count == 1

    def by_token(self, token_hash: str) -> SubjectId | None:
        with translated():
            found = self._contacts.find_one({"token": token_hash}, {"_id": 1})
        return None if found is None else SubjectId(int(found["_id"], 16))

    def count(self, key: str, *, limit: int, until: UnixSeconds) -> bool:
        with translated():
            with suppress(DuplicateKeyError):  # counted before
                self._counters.insert_one({"_id": key, "n": 0, "until": until})
            raised = self._counters.update_one({"_id": key, "n": {"$lt": limit}}, {"$inc": {"n": 1}})
        return raised.modified_count == 1

    def purge(self, *, now: UnixSeconds) -> None:
        with translated():
            self._counters.delete_many({"until": {"$lt": now}})


def _key(subject: SubjectId) -> str:
    return f"{subject:024x}"
