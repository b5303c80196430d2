"""Erasures and legal holds in MongoDB: one document each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.adapters.index.marks import MARK, Marks
from backend.erasure.types import Cause, ErasureRow, HoldReason, HoldRow, Scope, State
from backend.errors import IntegrityError
from backend.keystore import KeyStore
from backend.types import LogIndex, RecordId, SubjectId, UnixSeconds


class MongoErasureRows:
    """Implements ``backend.erasure.ports.ErasureRows``."""

    def __init__(self, database: Database[dict[str, Any]], keys: KeyStore) -> None:
        self._marks = Marks(keys, "erasures")
        self._rows = database["erasures"]
        with translated():
            self._rows.create_index([("subject", ASCENDING), ("requested_at", ASCENDING)])

    def insert(self, row: ErasureRow) -> None:
        document = {
            "_id": row.erasure_id,
            **_scope_members(row.scope),
            "cause": row.cause.value,
            "state": row.state.value,
            "requested_at": row.requested_at,
            "due_at": row.due_at,
            "receipt": row.receipt_hash,
            "evidence": row.evidence,
            "rule": row.rule,
            "ended_at": row.ended_at,
            "destroyed": dict(row.destroyed),
            "entry": row.entry,
        }
        with translated(), suppress(DuplicateKeyError):
            self._rows.insert_one(self._marks.marked(document))

    def get(self, erasure_id: str) -> ErasureRow | None:
        with translated():
            found = self._rows.find_one({"_id": erasure_id})
        return None if found is None else _erasure(self._marks.checked(found))

    def of_subject(self, subject: SubjectId) -> Sequence[ErasureRow]:
        with translated():
            found = self._rows.find({"subject": f"{subject:024x}"}).sort("requested_at", ASCENDING)
            return [_erasure(self._marks.checked(document)) for document in found]

    def all(self) -> Sequence[ErasureRow]:
        with translated():
            return [
                _erasure(self._marks.checked(document))
                for document in self._rows.find({}).sort("requested_at", ASCENDING)
            ]

    def sorted_out(self) -> tuple[Sequence[ErasureRow], Sequence[str]]:
        """Return all rows, and the ids of those that were changed or cannot be read: for ``fsck``."""
        with translated():
            documents = list(self._rows.find({}).sort("requested_at", ASCENDING))
        rows, damaged = [], []
        for document in documents:
            try:
                rows.append(_erasure(self._marks.checked(document)))
            except IntegrityError:
                damaged.append(str(document["_id"]))
        return rows, damaged

    def move(self, erasure_id: str, *, before: State, after: State, at: UnixSeconds | None = None) -> bool:
        return self._change(
            {"_id": erasure_id, "state": before.value}, {"state": after.value, "ended_at": at}
        )

    def finish(
        self, erasure_id: str, *, at: UnixSeconds, destroyed: Mapping[str, int], entry: LogIndex
    ) -> None:
        changes = {"state": State.ERASED.value, "ended_at": at, "destroyed": dict(destroyed), "entry": entry}
        # Once: a step that is driven again must not give the receipt another time.
        self._change({"_id": erasure_id, "state": State.DESTROYING.value}, changes)

    def _change(self, before: dict[str, Any], changes: Mapping[str, Any]) -> bool:
        return _changed(self._rows, self._marks, before, changes)


class MongoHoldRows:
    """Implements ``backend.erasure.ports.HoldRows``."""

    def __init__(self, database: Database[dict[str, Any]], keys: KeyStore) -> None:
        self._marks = Marks(keys, "legal_holds")
        self._rows = database["legal_holds"]
        with translated():
            self._rows.create_index([("subject", ASCENDING), ("placed_at", ASCENDING)])

    def insert(self, row: HoldRow) -> None:
        document = {
            "_id": row.hold_id,
            **_scope_members(row.scope),
            "reason": row.reason.value,
            "placed_at": row.placed_at,
            "until": row.until,
            "signed": row.signed,
            "lifted_at": row.lifted_at,
        }
        with translated(), suppress(DuplicateKeyError):
            self._rows.insert_one(self._marks.marked(document))

    def get(self, hold_id: str) -> HoldRow | None:
        with translated():
            found = self._rows.find_one({"_id": hold_id})
        return None if found is None else _hold(self._marks.checked(found))

    def of_subject(self, subject: SubjectId) -> Sequence[HoldRow]:
        with translated():
            found = self._rows.find({"subject": f"{subject:024x}"}).sort("placed_at", ASCENDING)
            return [_hold(self._marks.checked(document)) for document in found]

    def lift(self, hold_id: str, at: UnixSeconds) -> bool:
        return _changed(self._rows, self._marks, {"_id": hold_id, "lifted_at": None}, {"lifted_at": at})


def _changed(
    rows: Collection[dict[str, Any]], marks: Marks, before: dict[str, Any], changes: Mapping[str, Any]
) -> bool:
    """Change a row that stands as ``before`` says, under a new mark; False where none does."""
    with translated():
        found = rows.find_one(before)
        if found is None:
            return False
        after = marks.marked({**marks.checked(found), **changes})
        moved = rows.update_one({"_id": found["_id"], **before}, {"$set": {**changes, MARK: after[MARK]}})
    return moved.matched_count == 1


def _scope_members(scope: Scope) -> dict[str, Any]:
    return {"subject": scope.subject_hex, "records": [record.hex() for record in scope.records]}


def _scope(document: Mapping[str, Any]) -> Scope:
    records = tuple(RecordId(bytes.fromhex(record)) for record in document["records"])
    return Scope(SubjectId(int(document["subject"], 16)), records)


def _time(value: int | None) -> UnixSeconds | None:
    return None if value is None else UnixSeconds(value)


@parser
def _erasure(document: Mapping[str, Any]) -> ErasureRow:
    entry = document["entry"]
    return ErasureRow(
        erasure_id=document["_id"],
        scope=_scope(document),
        cause=Cause(document["cause"]),
        state=State(document["state"]),
        requested_at=UnixSeconds(document["requested_at"]),
        due_at=UnixSeconds(document["due_at"]),
        receipt_hash=document["receipt"],
        evidence=document["evidence"],
        rule=document["rule"],
        ended_at=_time(document["ended_at"]),
        destroyed=dict(document["destroyed"]),
        entry=None if entry is None else LogIndex(entry),
    )


@parser
def _hold(document: Mapping[str, Any]) -> HoldRow:
    return HoldRow(
        hold_id=document["_id"],
        scope=_scope(document),
        reason=HoldReason(document["reason"]),
        placed_at=UnixSeconds(document["placed_at"]),
        until=UnixSeconds(document["until"]),
        signed=bytes(document["signed"]),
        lifted_at=_time(document["lifted_at"]),
    )
