"""The act store's contract, on MongoDB and on the stand-in of the unit tests alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.marks import DocumentForged
from backend.outbox.ports import ActStore
from backend.outbox.types import DONE, Act
from backend.types import SubjectId, UnixSeconds
from tests.support.memory_acts import MemoryActStore
from tests.support.memory_keys import MemoryKeyStore


@pytest.fixture(params=["mongo", "memory"])
def store(request: pytest.FixtureRequest, mongo: Database[dict[str, Any]]) -> ActStore:
    return MongoActStore(mongo, MemoryKeyStore()) if request.param == "mongo" else MemoryActStore()


@pytest.fixture
def act(store: ActStore) -> Act:
    act = Act("grant", "1", "first", {"n": 1, "b": b"\0\xff"}, fence=1, attempts=0, created_at=UnixSeconds(5))
    assert store.insert(act, holder="a", leased_until=UnixSeconds(100))
    return act


def test_get_returns_what_was_inserted(store: ActStore, act: Act) -> None:
    assert store.get("grant", "1") == act
    assert store.get("grant", "2") is None


def test_insert_known_id_changes_nothing(store: ActStore, act: Act) -> None:
    other = Act("grant", "1", "other", {}, fence=1, attempts=0, created_at=UnixSeconds(6))
    assert not store.insert(other, holder="b", leased_until=UnixSeconds(100))
    assert store.get("grant", "1") == act


def test_named_returns_those_whose_ids_begin_so(store: ActStore) -> None:
    for kind, act_id, state in (
        ("stop", "ab/1", "first"),
        ("stop", "ab/2", DONE),
        ("stop", "ab0", "first"),
        ("stop", "abc/1", "first"),
        ("grant", "ab/1", "first"),
    ):
        made = Act(kind, act_id, state, {}, fence=1, attempts=0, created_at=UnixSeconds(5))
        assert store.insert(made, holder="a", leased_until=UnixSeconds(100))
    assert sorted(found.act_id for found in store.named("stop", "ab/")) == ["ab/1", "ab/2"]
    assert store.named("stop", "b/") == []


def test_claim_before_the_lease_ends_is_refused(store: ActStore, act: Act) -> None:
    assert store.claim("grant", "1", holder="b", now=UnixSeconds(99), until=UnixSeconds(200)) is None
    taken = store.claim("grant", "1", holder="b", now=UnixSeconds(100), until=UnixSeconds(200))
    assert taken is not None
    assert taken.fence == 2


def test_advance_with_an_old_fence_is_refused(store: ActStore, act: Act) -> None:
    taken = store.claim("grant", "1", holder="b", now=UnixSeconds(100), until=UnixSeconds(200))
    assert taken is not None
    assert not store.advance(act, state=DONE, data={})
    assert store.advance(taken, state="second", data={"m": 2})
    moved = store.get("grant", "1")
    assert moved is not None
    assert (moved.state, dict(moved.data)) == ("second", {"n": 1, "b": b"\0\xff", "m": 2})


def test_due_lists_only_free_unfinished_acts(store: ActStore, act: Act) -> None:
    assert store.due(now=UnixSeconds(99), limit=10) == []
    assert [due.act_id for due in store.due(now=UnixSeconds(100), limit=10)] == ["1"]
    assert store.advance(act, state=DONE, data={})
    assert store.due(now=UnixSeconds(100), limit=10) == []
    assert store.unfinished(["grant"]) == []


def test_postpone_counts_the_attempt(store: ActStore, act: Act) -> None:
    store.postpone(act, until=UnixSeconds(300))
    assert store.due(now=UnixSeconds(299), limit=10) == []
    (due,) = store.due(now=UnixSeconds(300), limit=10)
    assert due.attempts == 1


def test_postpone_of_an_act_that_only_waits_counts_nothing(store: ActStore, act: Act) -> None:
    store.postpone(act, until=UnixSeconds(300), failed=False)
    assert store.due(now=UnixSeconds(299), limit=10) == []
    (due,) = store.due(now=UnixSeconds(300), limit=10)
    assert due.attempts == 0


def test_claim_by_many_at_once_has_one_winner(mongo: Database[dict[str, Any]]) -> None:
    store = MongoActStore(mongo, MemoryKeyStore())
    act = Act("grant", "1", "first", {}, fence=1, attempts=0, created_at=UnixSeconds(5))
    store.insert(act, holder="a", leased_until=UnixSeconds(100))

    def claim(number: int) -> Act | None:
        return store.claim("grant", "1", holder=f"h{number}", now=UnixSeconds(100), until=UnixSeconds(200))

    with ThreadPoolExecutor(8) as pool:
        winners = [taken for taken in pool.map(claim, range(8)) if taken is not None]
    assert len(winners) == 1


CHANGES: dict[str, Any] = {
    "kind": "revocation",
    "act_id": "2",
    "state": "third",
    "created_at": 6,
    "data": {"n": 2, "b": b"\0\xff"},
    "mark": b"\x00" * 32,
}


@pytest.mark.parametrize("member", [*CHANGES, "missing mark"])
def test_act_that_was_changed_in_the_index_is_refused_and_not_carried_out(
    mongo: Database[dict[str, Any]], member: str
) -> None:
    store = MongoActStore(mongo, MemoryKeyStore())
    for number in ("1", "other"):
        act = Act("grant", number, "first", {"n": 1, "b": b"\0\xff"}, 1, 0, UnixSeconds(5))
        assert store.insert(act, holder="a", leased_until=UnixSeconds(100))
    if member in CHANGES:
        mongo["acts"].update_one({"_id": "grant:1"}, {"$set": {member: CHANGES[member]}})
    else:
        mongo["acts"].update_one({"_id": "grant:1"}, {"$unset": {"mark": ""}})
    with pytest.raises(DocumentForged):
        store.get("grant", "1")
    with pytest.raises(DocumentForged):
        store.claim("grant", "1", holder="b", now=UnixSeconds(100), until=UnixSeconds(200))
    assert [due.act_id for due in store.due(now=UnixSeconds(100), limit=10)] == ["other"]


def test_act_that_another_key_marked_is_refused(mongo: Database[dict[str, Any]]) -> None:
    act = Act("grant", "1", "first", {}, fence=1, attempts=0, created_at=UnixSeconds(5))
    MongoActStore(mongo, MemoryKeyStore()).insert(act, holder="a", leased_until=UnixSeconds(100))
    with pytest.raises(DocumentForged):
        MongoActStore(mongo, MemoryKeyStore()).get("grant", "1")


def test_act_with_nested_data_comes_back_under_its_mark(mongo: Database[dict[str, Any]]) -> None:
    store = MongoActStore(mongo, MemoryKeyStore())
    data = {"n": 2**40, "list": [1, "a", None, True, [b"x"]], "map": {"deep": {"n": 1}}}
    act = Act("grant", "1", "first", data, fence=1, attempts=0, created_at=UnixSeconds(5))
    assert store.insert(act, holder="a", leased_until=UnixSeconds(100))
    found = store.get("grant", "1")
    assert found is not None
    assert store.advance(found, state="second", data={"list": [], "more": "y", "yes": True})
    moved = store.get("grant", "1")
    assert moved is not None
    assert dict(moved.data) == {**data, "list": [], "more": "y", "yes": True}


def test_waiting_counts_what_is_not_over_and_says_when_it_is_tried(store: ActStore, act: Act) -> None:
    store.postpone(act, until=UnixSeconds(300))
    (waiting,) = store.waiting()
    assert (waiting.kind, waiting.attempts, waiting.created_at, waiting.due_at) == ("grant", 1, 5, 300)
    taken = store.claim("grant", "1", holder="b", now=UnixSeconds(300), until=UnixSeconds(400))
    assert taken is not None
    assert store.advance(taken, state=DONE, data={})
    assert store.waiting() == []


def test_subjects_are_those_of_all_acts_of_a_kind(mongo: Database[dict[str, Any]]) -> None:
    store = MongoActStore(mongo, MemoryKeyStore())
    for number, (kind, state) in enumerate([("stop", "first"), ("stop", DONE), ("grant", "first")]):
        data = {"subject": f"{number + 7:024x}", "n": number}
        act = Act(kind, str(number), state, data, fence=1, attempts=0, created_at=UnixSeconds(5))
        assert store.insert(act, holder="a", leased_until=UnixSeconds(100))
    assert store.subjects("stop") == {SubjectId(7), SubjectId(8)}
    assert store.subjects("other") == set()
