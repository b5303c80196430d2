"""A suspension that one process accepted stops a run of another one, over one index."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.job_store import MongoJobStore
from backend.adapters.index.server import EmbeddedIndex, connect
from backend.adapters.index.stop_store import MongoStopStore
from backend.research.board.stops import GLANCE_SECONDS, Stops, StudyStops
from backend.research.errors import StudyNotPermitted
from backend.research.jobs.types import JobState
from backend.research.policy import BudgetPolicy
from backend.research.types import StudyId
from tests.unit.research import conftest as people
from tests.unit.research.test_jobs import Scene, Source

Mongo = Database[dict[str, Any]]
STUDY = StudyId(b"1" * 32)
_OTHER_PROCESS = """
import sys
from backend.adapters.index.server import connect
from backend.adapters.index.stop_store import MongoStopStore
from backend.research.board.stops import StudyStops
stops = StudyStops(MongoStopStore(connect(sys.argv[1], database=sys.argv[2])))
stops.accept(bytes.fromhex(sys.argv[3]), "suspended elsewhere")
"""


@pytest.fixture
def elsewhere(index_server: EmbeddedIndex, mongo: Mongo) -> Callable[[StudyId], None]:
    """Have another process accept a suspension."""

    def accept(study: StudyId) -> None:
        given = [index_server.uri, mongo.name, study.hex()]
        root = Path(__file__).parents[2]
        subprocess.run([sys.executable, "-c", _OTHER_PROCESS, *given], cwd=root, check=True, timeout=60)

    return accept


@pytest.fixture
def scene(mongo: Mongo) -> Iterator[Scene]:
    """A queue of runs over the index, with a study and two hundred patients."""
    policy = BudgetPolicy("hospital", 5_000_000, 6, 366 * 86_400)
    world = people.World(
        people.MemoryBudgetStore(),
        people.MemoryAnswerStore(),
        people.MemoryUseStore(),
        people.Permits(),
        [people.NOW],
        policy,
    )
    study = world.approved(people.make_proposal())
    source = Source([people.make_candidate(number) for number in range(1, 201)])
    made = Scene(world, source, study, store=MongoJobStore(mongo))  # type: ignore[arg-type]
    made.stops = StudyStops(MongoStopStore(mongo))
    yield made
    for jobs in made.made:
        jobs.close()


def test_run_under_way_opens_no_more_records_than_those_of_a_second(
    scene: Scene, elsewhere: Callable[[StudyId], None]
) -> None:
    opened: list[int] = []
    for place in range(4, 200):
        scene.opening(place, lambda place=place: opened.append(place))  # type: ignore[misc]

    def suspended_meanwhile() -> None:
        elsewhere(scene.study.study_id)
        time.sleep(GLANCE_SECONDS)

    scene.opening(3, suspended_meanwhile)
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    jobs.start()
    with pytest.raises(StudyNotPermitted):
        jobs.wait(job, seconds=60)
    assert opened == []
    assert jobs.get(scene.study, job.job_id).state is JobState.STOPPED
    assert not scene.released


def test_result_of_a_run_that_had_read_everything_is_kept_back(
    scene: Scene, elsewhere: Callable[[StudyId], None]
) -> None:
    committed = scene.commit

    def commit(*given: Any, **named: Any) -> None:
        committed(*given, **named)
        elsewhere(scene.study.study_id)

    scene.commit = commit  # type: ignore[method-assign]
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    jobs.start()
    with pytest.raises(StudyNotPermitted):
        jobs.wait(job, seconds=60)
    ended = jobs.get(scene.study, job.job_id)
    assert (ended.state, ended.result) == (JobState.STOPPED, b"")
    assert scene.committed
    assert not scene.released
    assert not [entry for entry in scene.log.entries.values() if entry.type == "study.run"]


def test_stops_of_many_at_once_are_all_counted(index_server: EmbeddedIndex, mongo: Mongo) -> None:
    def accept(number: int) -> None:
        database = connect(index_server.uri, database=mongo.name, timeout_ms=20_000)
        try:
            MongoStopStore(database).accept(STUDY, f"act {number % 6}")
        finally:
            database.client.close()

    threads = [Thread(target=accept, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    store = MongoStopStore(mongo)
    assert store.find(STUDY) == Stops(6, frozenset(f"act {number}" for number in range(6)))
    assert store.settle(STUDY, "act 2").acts == {f"act {number}" for number in (0, 1, 3, 4, 5)}
    assert {act for _, act in store.standing()} == {f"act {number}" for number in (0, 1, 3, 4, 5)}
    assert store.find(StudyId(b"2" * 32)) == Stops()
