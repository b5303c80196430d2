"""Drawings of the catalogue, queued runs and pages of records on a real MongoDB-wire server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.catalogue_store import MongoDrawingStore, MongoTurnStore
from backend.adapters.index.consent_index import MongoConsentIndex
from backend.adapters.index.failures import DocumentMalformed
from backend.adapters.index.job_store import MongoJobStore
from backend.adapters.index.record_index import MongoRecordIndex
from backend.audit.entry import Agent, AgentKind
from backend.consent.evidence_store import ConsentRow
from backend.records.ports import VersionRow
from backend.research.catalogue.turns import Turn, hold
from backend.research.catalogue.types import Counts, Drawing
from backend.research.jobs.types import Job, JobId, JobState, Phase
from backend.research.types import NanoRho, StudyId
from backend.types import Bytes32, ConsentId, MemberId, RecordId, SubjectId, UnixSeconds

Mongo = Database[dict[str, Any]]
STUDY, OTHER = StudyId(b"1" * 32), StudyId(b"2" * 32)


def drawing(period: int, value: int) -> Drawing:
    counts = Counts("sex", ("female", "male"), (value, -3), 9)
    return Drawing(
        "hospital", period, b"o" * 32, NanoRho(5), UnixSeconds(7), "2026-01-01", counts, (counts, counts)
    )


def job(number: int, study: StudyId = STUDY, created_at: int = 1) -> Job:
    return Job(
        job_id=JobId(number.to_bytes(16, "big")),
        study=study,
        researcher=MemberId(b"r" * 32),
        agent=Agent(AgentKind.CLIENT, "workbench", b"t" * 16, b"s" * 16),
        state=JobState.QUEUED,
        created_at=UnixSeconds(created_at),
        changed_at=UnixSeconds(created_at),
    )


def at_once(calls: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()


def test_drawing_kept_first_stays_whoever_else_draws(mongo: Mongo) -> None:
    store = MongoDrawingStore(mongo)
    assert store.find("hospital", 4) is None
    assert store.newest("hospital") is None
    seen: list[Drawing] = []
    at_once([lambda value=value: seen.append(store.keep(drawing(4, value))) for value in range(8)])
    assert len(seen) == 8
    assert set(seen) == {store.find("hospital", 4)}
    store.keep(drawing(11, 1))
    newest = store.newest("hospital")
    assert newest is not None
    assert newest.period == 11
    assert store.newest("other") is None


def test_drawing_of_another_period_is_refused(mongo: Mongo) -> None:
    store = MongoDrawingStore(mongo)
    store.keep(drawing(4, 1))
    mongo.catalogue_drawings.update_one({}, {"$set": {"period": 5}})
    with pytest.raises(DocumentMalformed):
        store.find("hospital", 4)


def test_turn_is_begun_once_and_held_by_one_whoever_else_tries(mongo: Mongo) -> None:
    store = MongoTurnStore(mongo)
    agents = [Agent(AgentKind.STAFF, f"operator-{number}", b"t" * 16, b"s" * 16) for number in range(8)]
    begun: list[Turn] = []
    at_once([lambda by=by: begun.append(store.begin(Turn("hospital", 4, by))) for by in agents])
    (turn,) = set(begun)
    assert store.find("hospital", 4) == turn
    held = []
    at_once(
        [
            lambda name=name: held.append(hold(turn, name, turns=store, clock=lambda: 1_000))
            for name in "abcdefgh"
        ]
    )
    (mine,) = [each for each in held if each is not None]
    mine.renew(37)
    found = store.find("hospital", 4)
    assert found is not None
    assert (found.percent, found.leased_until, found.by) == (35, 1_600, turn.by)
    store.begin(Turn("hospital", 11, agents[0]))
    assert [each.period for each in store.open("hospital")] == [4, 11]
    assert store.open("other") == []
    mine.done()
    assert [each.period for each in store.open("hospital")] == [11]


def test_study_gets_one_run_at_a_time_whoever_asks(mongo: Mongo) -> None:
    store = MongoJobStore(mongo)
    got: list[Job] = []
    at_once([lambda number=number: got.append(store.add(job(number))) for number in range(1, 9)])
    assert len(got) == 8
    (first,) = {found.job_id for found in got}
    assert [found.job_id for found in store.open()] == [first]
    assert store.add(job(20, OTHER)).job_id == job(20).job_id
    ended = got[0].after(at=UnixSeconds(5), state=JobState.DONE, result=b"sealed", phase=Phase.RESULT)
    assert store.replace(ended)
    second = store.add(job(30, created_at=9))
    assert second.job_id == job(30).job_id
    assert store.get(first) == ended
    assert [found.job_id for found in store.of_study(STUDY, limit=5)] == [second.job_id, first]
    assert [found.result for found in store.of_study(STUDY, limit=5)] == [b"", b""]
    assert {found.job_id for found in store.open()} == {second.job_id, job(20).job_id}


def test_run_moves_by_revision(mongo: Mongo) -> None:
    store = MongoJobStore(mongo)
    queued = store.add(job(1))
    claimed = [
        queued.after(at=UnixSeconds(2), state=JobState.RUNNING, holder=holder, leased_until=UnixSeconds(9))
        for holder in ("a", "b")
    ]
    assert store.replace(claimed[0])
    assert not store.replace(claimed[1])
    assert store.get(queued.job_id) == claimed[0]
    assert store.get(JobId(bytes(16))) is None


@pytest.mark.parametrize("text", ["123456789012345678901234", "1234e5678901234567890123", "0" * 24])
def test_subjects_whose_ids_look_like_numbers_are_found(mongo: Mongo, text: str) -> None:
    subject = SubjectId(int(text, 16))
    consents = MongoConsentIndex(mongo)
    for number, whose in enumerate((subject, SubjectId(0xABC))):
        consent = ConsentId(bytes([number]) * 32)
        consents.put(ConsentRow(consent, whose, b"s", UnixSeconds(1)))
    assert set(consents.subjects()) == {subject, 0xABC}
    assert [row.subject for row in consents.of_subject(subject)] == [subject]


def test_records_of_one_second_are_paged_without_a_gap_and_without_one_twice(mongo: Mongo) -> None:
    index = MongoRecordIndex(mongo)
    subject = SubjectId(7)
    rows = [
        VersionRow(
            record_id=RecordId(number.to_bytes(16, "big")),
            version=1,
            subject=subject,
            manifest=b"m",
            commitment=Bytes32(bytes(32)),
            created_at=UnixSeconds(100 + number // 4),
            current=False,
        )
        for number in range(10)
    ]
    for row in (*rows, replace(rows[0], record_id=RecordId(b"o" * 16), subject=SubjectId(8))):
        index.put(row)
        index.make_current(row.record_id, 1)
    found: list[RecordId] = []
    after = None
    while page := index.list_current(subject, after=after, limit=3):
        assert len(page) <= 3
        found += [row.record_id for row in page]
        after = (page[-1].created_at, page[-1].record_id)
    assert found == [row.record_id for row in rows]
