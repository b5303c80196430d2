"""Erasures and legal holds in MongoDB: one document each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.erasure.types import Cause, ErasureRow, HoldReason, HoldRow, Scope, State
from backend.types import LogIndex, RecordId, SubjectId, UnixSeconds


class MongoErasureRows:
    """Implements ``backend.erasure.ports.ErasureRows``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
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
            self._rows.insert_one(document)

    def get(self, erasure_id: str) -> ErasureRow | None:
        with translated():
            found = self._rows.find_one({"_id": erasure_id})
        return None if found is None else _erasure(found)

    def of_subject(self, subject: SubjectId) -> Sequence[ErasureRow]:
        with translated():
            found = self._rows.find({"subject": f"{subject:024x}"}).sort("requested_at", ASCENDING)
            return [_erasure(document) for document in found]

    def all(self) -> Sequence[ErasureRow]:
        with translated():
            return [_erasure(document) for document in self._rows.find({}).sort("requested_at", ASCENDING)]

    def move(self, erasure_id: str, *, before: State, after: State, at: UnixSeconds | None = None) -> bool:
        with translated():
            moved = self._rows.update_one(
                {"_id": erasure_id, "state": before.value}, {"$set": {"state": after.value, "ended_at": at}}
            )
        return moved.matched_count == 1

    def finish(
        self, erasure_id: str, *, at: UnixSeconds, destroyed: Mapping[str, int], entry: LogIndex
    ) -> None:
        changes = {"state": State.ERASED.value, "ended_at": at, "destroyed": dict(destroyed), "entry": entry}
        with translated():
            # Once: a step that is driven again must not give the receipt another time.
            self._rows.update_one({"_id": erasure_id, "state": State.DESTROYING.value}, {"$set": changes})


class MongoHoldRows:
    """Implements ``backend.erasure.ports.HoldRows``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
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
            self._rows.insert_one(document)

    def get(self, hold_id: str) -> HoldRow | None:
        with translated():
            found = self._rows.find_one({"_id": hold_id})
        return None if found is None else _hold(found)

    def of_subject(self, subject: SubjectId) -> Sequence[HoldRow]:
        with translated():
            found = self._rows.find({"subject": f"{subject:024x}"}).sort("placed_at", ASCENDING)
            return [_hold(document) for document in found]

    def lift(self, hold_id: str, at: UnixSeconds) -> bool:
        with translated():
            lifted = self._rows.update_one({"_id": hold_id, "lifted_at": None}, {"$set": {"lifted_at": at}})
        return lifted.matched_count == 1


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
