"""Rows of erasures and legal holds: moved once, and refused when somebody else changed them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.erasure_store import MongoErasureRows, MongoHoldRows
from backend.adapters.index.marks import DocumentForged
from backend.erasure.types import Cause, ErasureRow, HoldReason, HoldRow, Scope, State
from backend.types import LogIndex, RecordId, SubjectId, UnixSeconds
from tests.support.memory_keys import MemoryKeyStore

ANNA = SubjectId(77)
ROW = ErasureRow(
    erasure_id="e1",
    scope=Scope(ANNA, (RecordId(b"\x02" * 16),)),
    cause=Cause.PATIENT_REQUEST,
    state=State.LOCKED,
    requested_at=UnixSeconds(5),
    due_at=UnixSeconds(9),
    receipt_hash="ab" * 32,
    evidence="",
    rule="",
    ended_at=None,
    destroyed={},
    entry=None,
)
HOLD = HoldRow("h1", ROW.scope, next(iter(HoldReason)), UnixSeconds(5), UnixSeconds(9), b"signed", None)


def test_erasure_is_moved_once_from_the_state_that_it_is_in(mongo: Database[dict[str, Any]]) -> None:
    rows = MongoErasureRows(mongo, MemoryKeyStore())
    rows.insert(ROW)
    rows.insert(replace(ROW, due_at=UnixSeconds(1)))
    assert rows.get("e1") == ROW
    assert rows.move("e1", before=State.LOCKED, after=State.DESTROYING)
    assert not rows.move("e1", before=State.LOCKED, after=State.CANCELLED, at=UnixSeconds(6))
    rows.finish("e1", at=UnixSeconds(8), destroyed={"keys": 3}, entry=LogIndex(4))
    rows.finish("e1", at=UnixSeconds(99), destroyed={"keys": 0}, entry=LogIndex(5))
    (done,) = rows.of_subject(ANNA)
    assert (done.state, done.ended_at, done.destroyed, done.entry) == (State.ERASED, 8, {"keys": 3}, 4)


@pytest.mark.parametrize(
    "change",
    [{"state": "cancelled"}, {"records": []}, {"due_at": 2**40}, {"subject": f"{78:024x}"}, {"mark": b"x"}],
)
def test_erasure_that_was_changed_in_the_index_is_refused(
    mongo: Database[dict[str, Any]], change: dict[str, Any]
) -> None:
    rows = MongoErasureRows(mongo, MemoryKeyStore())
    rows.insert(ROW)
    mongo["erasures"].update_one({"_id": "e1"}, {"$set": change})
    for read in (lambda: rows.get("e1"), rows.all):
        with pytest.raises(DocumentForged):
            read()
    assert rows.sorted_out() == ([], ["e1"])


def test_hold_is_lifted_once_and_refused_when_changed(mongo: Database[dict[str, Any]]) -> None:
    rows = MongoHoldRows(mongo, MemoryKeyStore())
    rows.insert(HOLD)
    assert rows.lift("h1", UnixSeconds(7))
    assert not rows.lift("h1", UnixSeconds(8))
    assert rows.get("h1") == replace(HOLD, lifted_at=UnixSeconds(7))
    mongo["legal_holds"].update_one({"_id": "h1"}, {"$set": {"lifted_at": None}})
    with pytest.raises(DocumentForged):
        rows.of_subject(ANNA)
