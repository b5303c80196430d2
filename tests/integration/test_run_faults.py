"""Every port call between a run's result and its release breaks once, before or after its effect.

Then a restart ends the run, and each result that the chain has was released, once. On real stores.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.board_store import MongoRunStore
from backend.adapters.index.job_store import MongoJobStore
from backend.adapters.index.money_store import MongoResultStore
from backend.audit.entry import Agent, AgentKind
from backend.demo.actors import Api
from backend.identity.roles import Role
from backend.outbox.service import Outbox
from backend.research.jobs.driver import RunJobs
from backend.research.jobs.releasing import Releasing
from backend.research.jobs.types import Job, JobState
from backend.research.money.entries import MoneyEntries
from backend.research.money.results import Results
from backend.research.study import Study
from backend.research.types import StudyId
from backend.sealed import DocumentSealer
from backend.types import Bytes32
from tests.integration.api.study_world import StudyWorld, open_study_world
from tests.integration.api.world import staff
from tests.support.breaking_process import LEASE_IS_OVER
from tests.support.faults import Crash, Faults

BY = Agent(AgentKind.CLIENT, "faults")
FEWEST = 15  # calls between the claim of a job and its end


@dataclass(slots=True)
class Stage:
    world: StudyWorld
    auditor: Api
    study: Study


class Process:
    """The queue of runs of one process over ports that break. ``late``: a lease of before is over for it."""

    def __init__(self, stage: Stage, faults: Faults, *, late: bool = False) -> None:
        stores, wrap = stage.world.service.world.stores, faults.wrap
        services = stage.world.service.world.services

        def clock() -> int:
            return int(time.time()) + (LEASE_IS_OVER if late else 0)

        self.study = stage.study
        self.outbox = Outbox(
            store=wrap(MongoActStore(stores.database, stores.keys), "acts"),
            clock=clock,
            holder=secrets.token_hex(8),
        )
        audit = wrap(services.audit, "audit")
        results = Results(
            ledger=wrap(stores.money, "money"),
            results=wrap(MongoResultStore(stores.database, stores.keys), "results"),
            outbox=self.outbox,
            entries=MoneyEntries(audit=audit, clock=lambda: int(time.time())),
            clock=lambda: int(time.time()),
        )
        self.jobs = RunJobs(
            store=wrap(MongoJobStore(stores.database), "jobs"),
            studies=services.studies,
            permits=services.datasets.handover.permits,
            guard=services.board.guard,
            releasing=Releasing(
                commits=results,
                usage=wrap(MongoRunStore(stores.database), "usage"),
                audit=audit,
                clock=lambda: int(time.time()),
            ),
            exports=services.exports.keeper,
            runner=services.runner,
            candidates=services.candidates,
            sealer=DocumentSealer(stores.keys),
            clock=lambda: int(time.time()),
            alone=True,
        )

    def enqueue(self) -> Job:
        return self.jobs.enqueue(self.study, agent=BY, researcher=self.study.proposal.researcher)

    def drive(self, job: Job) -> Job:
        """Take the study's run up, if it has not ended, and return it as it stands then."""
        claimed = self.jobs._claim(takeover=True)
        if claimed is not None:
            self.jobs._carry_out(claimed)
        return self.jobs.get(self.study, job.job_id)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_study_world(tmp_path_factory.mktemp("run-faults") / "data") as world:
        auditor = staff(world.service, "faults-auditor", Role.AUDITOR)
        services = world.service.world.services
        services.runs.close()  # its thread would take the jobs
        study = services.studies.get(StudyId(bytes.fromhex(world.approved_study()[2:])))
        yield Stage(world, auditor, study)


def logged(stage: Stage, kind: str) -> list[str]:
    """The results of which the log has an entry of this type, newest first."""
    entries = stage.auditor.get("/v1/log/entries", limit=200)["entries"]
    return [entry["detail"]["result"] for entry in entries if entry["type"] == kind]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_run_broken_at_each_call_ends_and_every_result_on_the_chain_was_released(
    stage: Stage, after: bool
) -> None:
    stores = stage.world.service.world.stores
    runs, results = MongoRunStore(stores.database), stage.world.service.world.services.money.results
    number, reached = 0, True
    while reached:
        stage.world.mine()  # so that this run's result is another one
        job = Process(stage, Faults()).enqueue()
        faults = Faults()
        faults.arm(number, after=after)
        with suppress(Crash):
            Process(stage, faults).drive(job)
        reached = len(faults.calls) > number
        point = f"call {number} ({faults.calls[-1] if reached else 'no more'}), after={after}"
        restarted = Process(stage, Faults(), late=True)
        restarted.outbox.recover()
        assert restarted.drive(job).state is JobState.DONE, point
        assert MongoJobStore(stores.database).open() == [], point
        released = {run.result for run in runs.of_study(stage.study.study_id)}
        committed = {row.result for row in results.of_study(Bytes32(stage.study.study_id))}
        assert committed == released, point
        assert all(stores.money.committed_at(Bytes32(stage.study.study_id), each) for each in committed)
        number += 1
    assert number > FEWEST
    entries = logged(stage, "study.run")
    assert len(entries) == len(set(entries))
    assert set(entries) == {"0x" + each.hex() for each in released}
    assert logged(stage, "study.result_withheld") == []
