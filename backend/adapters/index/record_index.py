"""Versions of records in MongoDB: one document a version, the manifest sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, sorted_out, translated
from backend.records.ports import VersionRow
from backend.types import Bytes32, RecordId, SubjectId, UnixSeconds


class MongoRecordIndex:
    """Implements ``backend.records.ports.RecordIndex``. Ids are hex text; the server sorts those as bytes."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._rows = database["records"]
        with translated():
            # Of one member each: the embedded index reads a whole collection rather than use the beginning of
            # a compound index.
            self._rows.create_index([("subject", ASCENDING)])
            self._rows.create_index([("record_id", ASCENDING)])

    def put(self, row: VersionRow) -> None:
        document = {
            "_id": f"{row.record_id.hex()}/{row.version}",
            "record_id": row.record_id.hex(),
            "version": row.version,
            "subject": f"{row.subject:024x}",
            "manifest": row.manifest,
            "commitment": bytes(row.commitment),
            "created_at": row.created_at,
            "current": False,
        }
        with translated():
            try:
                self._rows.insert_one(document)
            except DuplicateKeyError:
                return  # the same step again after a crash: versions are never written twice

    def make_current(self, record_id: RecordId, version: int) -> None:
        # The new one first: a crash between the two leaves two current versions, of which the higher is read.
        with translated():
            self._rows.update_one({"_id": f"{record_id.hex()}/{version}"}, {"$set": {"current": True}})
            if version > 1:
                # By their ids: a write that does not name them makes a backup copy the collection anew.
                older = {"record_id": record_id.hex(), "version": {"$lt": version}, "current": True}
                names = [row["_id"] for row in self._rows.find(older, {"_id": 1})]
                self._rows.update_many({"_id": {"$in": names}}, {"$set": {"current": False}})

    def current(self, record_id: RecordId) -> VersionRow | None:
        with translated():
            found = list(
                self._rows.find({"record_id": record_id.hex(), "current": True})
                .sort("version", DESCENDING)
                .limit(1)
            )
        return row_of(found[0]) if found else None

    def version(self, record_id: RecordId, version: int) -> VersionRow | None:
        with translated():
            found = self._rows.find_one({"_id": f"{record_id.hex()}/{version}"})
        return row_of(found) if found else None

    def list_current(
        self,
        subject: SubjectId,
        *,
        after: tuple[UnixSeconds, RecordId] | None = None,
        limit: int | None = None,
    ) -> list[VersionRow]:
        query: dict[str, Any] = {"subject": f"{subject:024x}", "current": True}
        if after is not None:
            # No "$or", for which the embedded index reads everything; who shares the moment is passed over.
            query["created_at"] = {"$gte": after[0]}
        with translated():
            found = self._rows.find(query).sort([("created_at", ASCENDING), ("record_id", ASCENDING)])
            rows = map(row_of, found)
            behind = (row for row in rows if after is None or (row.created_at, row.record_id) > after)
            return list(islice(behind, limit))

    def sorted_out(self) -> tuple[list[VersionRow], list[str]]:
        """Return all rows by id, and the ids of those that cannot be read."""
        with translated():
            return sorted_out(row_of, self._rows.find({}).sort("_id", ASCENDING))

    def page(self, after: str, limit: int) -> tuple[list[VersionRow], str]:
        """Return versions by id behind this one, without those that cannot be read, and the last one's id,
        empty where there are no more."""
        with translated():
            found = list(self._rows.find({"_id": {"$gt": after}}).sort("_id", ASCENDING).limit(limit))
            rows, _ = sorted_out(row_of, found)
        return rows, str(found[-1]["_id"]) if len(found) == limit else ""

    def everything(self) -> Sequence[VersionRow]:
        with translated():
            return [row_of(document) for document in self._rows.find({}).sort("_id", ASCENDING)]


@parser
def row_of(document: Mapping[str, Any]) -> VersionRow:
    """Read a row. Raises DocumentMalformed, also for one that lies under another version's id."""
    if document["_id"] != f"{document['record_id']}/{document['version']}":
        raise ValueError("the row of another version")
    return VersionRow(
        record_id=RecordId(bytes.fromhex(document["record_id"])),
        version=document["version"],
        subject=SubjectId(int(document["subject"], 16)),
        manifest=document["manifest"],
        commitment=Bytes32(document["commitment"]),
        created_at=UnixSeconds(document["created_at"]),
        current=bool(document["current"]),
    )
