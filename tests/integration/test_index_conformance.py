"""What the stores ask of an index, on the embedded server and on any that ``ASSENT_TEST_MONGODB_URI`` names.

Thirty-two clients at once, as many as a process serves requests: two must never both win, none may be lost.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import (
    BulkWriteError,
    DocumentTooLarge,
    DuplicateKeyError,
    PyMongoError,
    WriteError,
)

from backend.adapters.index.server import EmbeddedIndex, IndexStartFailed, connect

CLIENTS: Final = 32
MIB: Final = 1024 * 1024
GIVEN: Final = os.environ.get("ASSENT_TEST_MONGODB_URI")
KILLS: Final = int(os.environ.get("ASSENT_INDEX_KILLS", "3"))

Things = Collection[dict[str, Any]]


@pytest.fixture(scope="module", params=["embedded", *(["given"] if GIVEN else [])])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    name = f"conformance_{secrets.token_hex(8)}"
    if request.param == "given":
        found = connect(str(GIVEN), database=name)
        yield found
        found.client.drop_database(name)
        found.client.close()
        return
    server = EmbeddedIndex(tmp_path_factory.mktemp("index"))
    server.start()
    found = connect(server.uri, database=name)
    yield found
    found.client.close()
    server.stop()


@pytest.fixture
def things(database: Database[dict[str, Any]]) -> Things:
    return database[f"things_{secrets.token_hex(4)}"]


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """What each client's work returned; all begin together."""
    gate = threading.Barrier(CLIENTS)

    def begin(number: int) -> Any:
        gate.wait(30)
        return work(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(begin, range(CLIENTS)))


def won(work: Callable[[], Any]) -> bool:
    try:
        work()
    except DuplicateKeyError:
        return False
    return True


def test_one_of_many_inserts_of_a_unique_value_wins(things: Things) -> None:
    things.create_index([("slot", ASCENDING), ("epoch", ASCENDING)], unique=True)
    for turn in range(20):
        outcome = at_once(
            lambda number, turn=turn: won(
                lambda: things.insert_one(
                    {"_id": secrets.token_bytes(16), "slot": turn, "epoch": 1, "by": number}
                )
            )
        )
        assert outcome.count(True) == 1
        found = list(things.find({"slot": turn}))
        assert [each["by"] for each in found] == [outcome.index(True)]


def test_one_of_many_inserts_of_an_id_wins(things: Things) -> None:
    for turn in range(20):
        outcome = at_once(
            lambda number, turn=turn: won(lambda: things.insert_one({"_id": f"id-{turn}", "by": number}))
        )
        assert outcome.count(True) == 1
        assert things.find_one({"_id": f"id-{turn}"}) == {"_id": f"id-{turn}", "by": outcome.index(True)}


def test_unique_index_leaves_out_what_its_filter_leaves_out(things: Things) -> None:
    things.create_index("open", unique=True, partialFilterExpression={"open": {"$exists": True}})
    things.insert_many([{"_id": 1}, {"_id": 2}, {"_id": 3, "open": "a"}])
    assert not won(lambda: things.insert_one({"_id": 4, "open": "a"}))
    assert won(lambda: things.update_one({"_id": 3}, {"$unset": {"open": ""}}))
    assert won(lambda: things.insert_one({"_id": 4, "open": "a"}))


def test_each_compare_and_swap_is_of_one_client(things: Things) -> None:
    things.insert_one({"_id": "head", "version": 0, "by": -1})

    def swap(number: int) -> list[int]:
        taken: list[int] = []
        while len(taken) < 10:
            document = things.find_one({"_id": "head"})
            assert document is not None
            version = document["version"]
            outcome = things.update_one(
                {"_id": "head", "version": version}, {"$set": {"version": version + 1, "by": number}}
            )
            if outcome.matched_count:
                taken.append(version)
        return taken

    taken = sorted(version for each in at_once(swap) for version in each)
    assert taken == list(range(CLIENTS * 10))


def test_each_increment_counts_once(things: Things) -> None:
    things.insert_one({"_id": "counter", "spent": 0, "calls": 5})

    def spend(_: int) -> None:
        for _turn in range(25):
            things.update_one({"_id": "counter"}, {"$inc": {"spent": 3, "calls": 1}})

    at_once(spend)
    assert things.find_one({"_id": "counter"}) == {
        "_id": "counter",
        "spent": CLIENTS * 75,
        "calls": CLIENTS * 25 + 5,
    }


def test_increment_with_a_bound_never_passes_it(things: Things) -> None:
    things.insert_one({"_id": "budget", "spent": 0})

    def spend(_: int) -> int:
        return sum(
            things.update_one({"_id": "budget", "spent": {"$lte": 93}}, {"$inc": {"spent": 7}}).matched_count
            for _turn in range(3)
        )

    assert sum(at_once(spend)) == 14
    assert things.find_one({"_id": "budget"}) == {"_id": "budget", "spent": 98}


def test_many_upserts_of_one_id_make_one_document(things: Things) -> None:
    def put(number: int) -> bool:
        # Two may both find nothing and insert: one of them is told so, and asks again.
        while True:
            try:
                outcome = things.update_one({"_id": "mark"}, {"$set": {f"of_{number}": 1}}, upsert=True)
            except DuplicateKeyError:
                continue
            return outcome.upserted_id is not None

    assert at_once(put).count(True) == 1
    assert things.count_documents({}) == 1
    document = things.find_one({"_id": "mark"})
    assert document == {"_id": "mark", **{f"of_{number}": 1 for number in range(CLIENTS)}}


def test_one_of_many_claims_of_a_job_wins(things: Things) -> None:
    things.create_index([("due_at", ASCENDING)])
    things.insert_many([{"_id": number, "due_at": 5, "taken_by": None} for number in range(60)])

    def take(number: int) -> list[int]:
        mine = []
        for document in things.find({"due_at": {"$lte": 9}, "taken_by": None}).sort("due_at", ASCENDING):
            outcome = things.update_one(
                {"_id": document["_id"], "taken_by": None}, {"$set": {"taken_by": number}}
            )
            if outcome.modified_count:
                mine.append(document["_id"])
        return mine

    assert sorted(each for mine in at_once(take) for each in mine) == list(range(60))


def test_ordered_batch_ends_at_its_first_refusal(things: Things) -> None:
    things.insert_one({"_id": "c"})
    with pytest.raises(BulkWriteError):
        things.insert_many([{"_id": one} for one in "abcde"])
    assert sorted(each["_id"] for each in things.find()) == ["a", "b", "c"]


def test_large_document_comes_back_whole_and_a_larger_one_is_refused_whole(things: Things) -> None:
    content = secrets.token_bytes(15 * MIB)
    things.insert_one({"_id": "large", "content": content})
    document = things.find_one({"_id": "large"})
    assert document is not None
    assert hashlib.sha256(document["content"]).digest() == hashlib.sha256(content).digest()
    with pytest.raises((DocumentTooLarge, WriteError)):
        things.insert_one({"_id": "larger", "content": content + bytes(2 * MIB)})
    assert things.find_one({"_id": "larger"}) is None
    assert things.count_documents({}) == 1


def test_pages_show_each_document_once_while_others_are_written(things: Things) -> None:
    things.create_index([("day", ASCENDING)])
    things.insert_many([{"_id": f"old-{number:04}", "day": number % 7} for number in range(500)])
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            things.insert_one({"_id": f"new-{number:04}", "day": number % 7})
            number += 1

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        seen: list[str] = []
        for day in range(7):
            after = ""
            while page := list(
                things.find({"day": day, "_id": {"$gt": after}}).sort("_id", ASCENDING).limit(20)
            ):
                seen += [each["_id"] for each in page]
                after = seen[-1]
        stop.set()
        writing.result(30)
    old = [one for one in seen if one.startswith("old")]
    assert sorted(old) == [f"old-{number:04}" for number in range(500)]
    assert len(seen) == len(set(seen))


def test_texts_and_numbers_are_found_by_range_and_order(things: Things) -> None:
    """Not bytes, which the embedded server orders in its own way: ids that are ordered are hex texts."""
    ids = [secrets.token_hex(32) for _ in range(200)]
    things.insert_many([{"_id": one, "n": place, "big": 2**53 + place} for place, one in enumerate(ids)])
    ordered = sorted(ids)
    assert [each["_id"] for each in things.find().sort("_id", ASCENDING)] == ordered
    found = things.find({"_id": {"$gte": ordered[50], "$lt": ordered[60]}}).sort("_id", ASCENDING)
    assert [each["_id"] for each in found] == ordered[50:60]
    assert sorted(each["n"] for each in things.find({"big": {"$gt": 2**53 + 196}})) == [197, 198, 199]
    assert {each["_id"] for each in things.find({"_id": {"$in": ids[:3]}})} == set(ids[:3])
    assert things.delete_many({"n": {"$nin": [0, 1]}}).deleted_count == 198


def test_server_starts_though_another_process_has_the_number_of_the_one_before(tmp_path: Path) -> None:
    """A machine that crashed leaves the note of a number, and gives it to any program."""
    (tmp_path / "nx-27017.pid").write_text(str(os.getpid()))
    server = EmbeddedIndex(tmp_path)
    server.start()
    server.stop()


def test_server_waits_for_the_one_before_to_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = EmbeddedIndex(tmp_path), EmbeddedIndex(tmp_path)
    first.start()
    with monkeypatch.context() as patch:
        patch.setattr("backend.adapters.index.server.START_SECONDS", 0.5)
        with pytest.raises(IndexStartFailed):
            second.start()
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(second.start)
        first.stop()
        starting.result(60)
    second.stop()


def test_acknowledged_writes_outlive_kills_of_the_server(tmp_path: Path) -> None:
    """``ASSENT_INDEX_KILLS`` kills; each falls at any time of the writing of eight clients."""
    server = EmbeddedIndex(tmp_path)
    server.start()
    database = connect(server.uri, database="killed", timeout_ms=10_000)
    things: Things = database.things
    things.insert_one({"_id": "counter", "spent": 0})
    acknowledged: list[str] = []
    counted = threading.Semaphore(0)
    stop = threading.Event()

    def write(number: int) -> tuple[int, int]:
        sure, unsure, turn = 0, 0, 0
        while not stop.is_set():
            turn += 1
            name = f"{number}-{turn}"
            try:
                things.insert_one({"_id": name})
                acknowledged.append(name)
                counted.release()
                if not things.update_one({"_id": "counter"}, {"$inc": {"spent": 1}}).matched_count:
                    raise AssertionError("the counter is gone")
                sure += 1
            except PyMongoError:
                unsure += 1  # the driver may have sent it again or not
        return sure, unsure

    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write, number) for number in range(8)]
        try:
            for _ in range(KILLS):
                for _written in range(40):
                    assert counted.acquire(timeout=60)
                assert server.process_id is not None
                os.kill(server.process_id, signal.SIGKILL)
                os.waitid(os.P_PID, server.process_id, os.WEXITED | os.WNOWAIT)
                server.ensure_running()
            assert counted.acquire(timeout=60)
        finally:
            stop.set()
        totals = [writer.result(120) for writer in writers]
    present = {each["_id"] for each in things.find()}
    assert set(acknowledged) <= present
    counter = things.find_one({"_id": "counter"})
    assert counter is not None
    sure, unsure = (sum(each) for each in zip(*totals, strict=True))
    assert sure <= counter["spent"] <= sure + unsure
    database.client.close()
    server.stop()
