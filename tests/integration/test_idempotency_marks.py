"""Marks of idempotency keys: the same suite in memory and on a real MongoDB-wire server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.idempotency_marks import MongoMarks
from backend.adapters.index.server import IndexUnavailable, connect
from backend.idempotency import Mark, Marks
from backend.types import UnixSeconds
from tests.support.memory_marks import MemoryMarks
from tests.unit.identity.world import at_once

MARK = Mark("ab" * 32, "cd" * 32, UnixSeconds(1_800_000_000))


@pytest.fixture(params=["memory", "mongo"])
def marks(request: pytest.FixtureRequest) -> Marks:
    if request.param == "memory":
        return MemoryMarks()
    database: Database[dict[str, Any]] = request.getfixturevalue("mongo")
    return MongoMarks(database)


def test_first_mark_is_kept_and_returned_to_everybody(marks: Marks) -> None:
    assert marks.begin(MARK) == MARK
    assert marks.begin(replace(MARK, fingerprint="ef" * 32, begun_at=UnixSeconds(1))) == MARK


def test_finished_mark_says_so(marks: Marks) -> None:
    marks.begin(MARK)
    marks.finish(MARK.mark_id)
    assert marks.begin(MARK) == replace(MARK, finished=True)


def test_marks_begun_at_once_agree_on_one(marks: Marks) -> None:
    kept, refused = at_once(8, lambda number: marks.begin(replace(MARK, fingerprint=f"{number:064x}")))
    assert (len(set(kept)), refused) == (1, [])


def test_index_that_does_not_answer_is_unavailable() -> None:
    database = connect("mongodb://127.0.0.1:1", database="none")
    with pytest.raises(IndexUnavailable):
        MongoMarks(database).begin(MARK)
    database.client.close()
