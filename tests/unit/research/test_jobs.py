"""Runs are queued, driven once at a time, stopped by a suspension, and taken up after whatever ended them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent
from backend.errors import Conflict, LedgerUnavailable
from backend.keystore import Secret
from backend.records.sealing import RecipientPrivateKey
from backend.research.board.ports import StudyRun
from backend.research.board.stops import StudyStops
from backend.research.datasets.errors import ResearcherKeyMissing
from backend.research.errors import BudgetExceeded, RunNotFound, StudyNotPermitted
from backend.research.jobs import driver
from backend.research.jobs.driver import INTERRUPTED, MAX_ATTEMPTS, RunJobs
from backend.research.jobs.releasing import Releasing
from backend.research.jobs.types import ENDED, Job, JobId, JobState, Phase
from backend.research.outputs import Count, Records
from backend.research.result import Commitment
from backend.research.service import StudyService
from backend.research.study import Event, Proposal, Study
from backend.research.study_terms import ProtocolDocument
from backend.research.types import Candidate, Individual, RecordEntries, Resource, StudyId
from backend.sealed import DocumentSealer, SealedDocumentRefused
from backend.types import BlockNumber, Bytes32, MemberId, RecordId, UnixSeconds
from tests.support.memory_exports import MemoryExportStore, MemoryRecipients, keeper
from tests.support.memory_keys import MemoryKeyStore
from tests.support.memory_stops import MemoryStopStore

AGENT = Agent(AgentKind.CLIENT, "workbench")
People = Callable[..., Candidate]


@dataclass
class MemoryJobs:
    known: dict[JobId, Job] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    seen: list[tuple[JobState, Phase, int]] = field(default_factory=list)

    def add(self, job: Job) -> Job:
        with self.lock:
            for other in self.known.values():
                if other.study == job.study and other.state not in ENDED:
                    return other
            return self.known.setdefault(job.job_id, job)

    def get(self, job_id: JobId) -> Job | None:
        return self.known.get(job_id)

    def replace(self, job: Job) -> bool:
        with self.lock:
            if self.known[job.job_id].revision != job.revision - 1:
                return False
            self.known[job.job_id] = job
            self.seen.append((job.state, job.phase, job.percent))
            return True

    def of_study(self, study: StudyId, *, limit: int) -> list[Job]:
        return [job for job in self.known.values() if job.study == study][:limit]

    def open(self) -> list[Job]:
        return [job for job in self.known.values() if job.state not in ENDED]


@dataclass
class Log:
    entries: dict[bytes, AuditEvent] = field(default_factory=dict)

    def append(self, event: AuditEvent, *, guard: Any = None, act: bytes | None = None) -> None:
        if guard is not None:
            guard()
        self.entries.setdefault(act or b"", event)


@dataclass
class Source:
    people: list[Candidate]

    def of(self, study: Study, *, agent: Agent, researcher: MemberId) -> Iterator[Candidate]:
        assert (agent, researcher) == (AGENT, study.proposal.researcher)
        return iter(self.people)


@dataclass
class Studies:
    known: dict[StudyId, Study] = field(default_factory=dict)

    def get(self, study_id: StudyId) -> Study | None:
        return self.known.get(study_id)


@dataclass
class Scene:
    world: Any
    source: Source
    study: Study
    store: MemoryJobs = field(default_factory=MemoryJobs)
    log: Log = field(default_factory=Log)
    studies: Studies = field(default_factory=Studies)
    keys: Any = field(default_factory=MemoryKeyStore)
    made: list[RunJobs] = field(default_factory=list)
    released: list[StudyRun] = field(default_factory=list)
    stops: StudyStops = field(default_factory=lambda: StudyStops(MemoryStopStore()))
    committed: list[bytes] = field(default_factory=list)
    chain_refuses: bool = False
    chain_away: bool = False
    exports: MemoryExportStore = field(default_factory=MemoryExportStore)
    recipients: MemoryRecipients = field(default_factory=MemoryRecipients)

    def commit(self, study: Study, result: Commitment, *, by: Agent) -> None:
        if self.chain_away:
            raise LedgerUnavailable
        if self.chain_refuses:
            raise Conflict
        self.committed.append(result.digest)

    def is_committed(self, study: Study, digest: bytes) -> bool:
        return digest in self.committed

    def jobs(self, *, alone: bool = True) -> RunJobs:
        self.studies.known[self.study.study_id] = self.study
        service = StudyService(
            studies=self.studies,  # type: ignore[arg-type]
            permits=self.world.permits,
            uses=self.world.uses,
            policy=self.world.policy,
            clock=lambda: self.world.now[0],
        )
        made = RunJobs(
            store=self.store,
            studies=service,
            permits=self.world.permits,
            guard=self.stops.guard,
            releasing=Releasing(commits=self, usage=self, audit=self.log, clock=lambda: self.world.now[0]),  # type: ignore[arg-type]
            exports=keeper(self.exports, self.recipients, now=self.world.now[0]),
            runner=self.world.runner,
            candidates=self.source,
            sealer=DocumentSealer(self.keys),
            clock=lambda: self.world.now[0],
            alone=alone,
        )
        self.made.append(made)
        return made

    def record(self, run: StudyRun) -> None:
        self.released.append(run)

    def of(self, code: str) -> list[Any]:
        """The results of which the log has an entry of this type."""
        return [entry.detail["result"] for entry in self.log.entries.values() if entry.type == code]

    def later_block(self) -> None:
        """Have a run that is made now end in another digest."""
        known, study = self.world.permits.known, self.study.study_id
        known[study] = replace(known[study], block=BlockNumber(99))

    def enqueue(self, jobs: RunJobs) -> Job:
        return jobs.enqueue(self.study, agent=AGENT, researcher=self.study.proposal.researcher)

    def suspend(self) -> None:
        self.studies.known[self.study.study_id] = self.study.after(Event.SUSPEND, reason="complaint")

    def opening(self, place: int, act: Callable[[], None]) -> None:
        """Do something when the records of this patient are opened."""
        person = self.source.people[place]
        opened = person.resources

        def resources() -> Iterable[Resource]:
            act()
            return opened()  # type: ignore[return-value]

        self.source.people[place] = replace(person, resources=resources)

    def only(self) -> Job:
        (job,) = self.store.known.values()
        return job


@pytest.fixture
def scene(world: Any, proposal_with: Callable[..., Proposal], candidate_with: People) -> Iterator[Scene]:
    study = world.approved(proposal_with())
    made = Scene(world, Source([candidate_with(number) for number in range(1, 201)]), study)
    yield made
    for jobs in made.made:
        if jobs._thread.is_alive():
            jobs.close()


def test_run_ends_with_its_result_and_an_entry_in_the_log(scene: Scene) -> None:
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    assert (job.state, jobs.wait(job, seconds=0).state) == (JobState.QUEUED, JobState.QUEUED)
    jobs.start()
    ended = jobs.wait(job, seconds=60)
    assert (ended.state, ended.phase, ended.percent, ended.code) == (JobState.DONE, Phase.RESULT, 100, "")
    result = jobs.result(ended)
    assert [answer["name"] for answer in result["answers"]] == ["participants", "diabetics", "ages"]
    assert b"participants" not in ended.result
    (entry,) = scene.log.entries.values()
    assert "0x" + entry.detail["result"].hex() == result["digest"]
    assert entry.type == codes.STUDY_RUN


def test_result_is_committed_to_before_anything_of_it_is_released(scene: Scene) -> None:
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    jobs.start()
    result = jobs.result(jobs.wait(job, seconds=60))
    assert ["0x" + digest.hex() for digest in scene.committed] == [result["digest"]]


def test_result_that_the_chain_does_not_take_is_not_released(scene: Scene) -> None:
    scene.chain_refuses = True
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    jobs.start()
    with pytest.raises(Conflict):
        jobs.wait(job, seconds=60)
    ended = jobs.get(scene.study, job.job_id)
    assert (ended.state, ended.code, ended.result) == (JobState.FAILED, "conflict", b"")
    assert not scene.log.entries
    assert not scene.released


def test_progress_is_told_in_steps_and_never_in_numbers_of_patients(scene: Scene) -> None:
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    jobs.start()
    jobs.wait(job, seconds=60)
    running = [(phase, percent) for state, phase, percent in scene.store.seen if state is JobState.RUNNING]
    assert all(percent % 5 == 0 for _, percent in running)
    assert [percent for phase, percent in running if phase is Phase.RECORDS] == list(range(0, 101, 5))


def test_study_has_one_run_at_a_time(scene: Scene) -> None:
    jobs = scene.jobs()
    first = scene.enqueue(jobs)
    assert scene.enqueue(jobs) == first
    jobs.start()
    jobs.wait(first, seconds=60)
    second = scene.enqueue(jobs)
    assert second.job_id != first.job_id
    assert jobs.result(jobs.wait(second, seconds=60)) == jobs.result(jobs.get(scene.study, first.job_id))
    assert len(scene.world.budget_store.entries) == 1


def test_run_without_permit_is_not_queued(scene: Scene) -> None:
    scene.world.permits.known.clear()
    with pytest.raises(StudyNotPermitted):
        scene.enqueue(scene.jobs())
    assert not scene.store.known


@pytest.mark.parametrize("on_chain", [True, False])
def test_suspension_stops_a_run_under_way(scene: Scene, on_chain: bool) -> None:
    stop = (lambda: scene.world.suspend_on_chain(scene.study)) if on_chain else scene.suspend
    scene.opening(3, stop)
    opened: list[int] = []
    scene.opening(130, lambda: opened.append(1))
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    jobs.start()
    with pytest.raises(StudyNotPermitted):
        jobs.wait(job, seconds=60)
    ended = jobs.get(scene.study, job.job_id)
    assert (ended.state, ended.code, ended.result) == (JobState.STOPPED, "study_not_permitted", b"")
    assert not opened
    assert not scene.log.entries
    assert not scene.world.uses.runs


def test_suspension_stops_a_queued_run(scene: Scene) -> None:
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    scene.suspend()
    jobs.start()
    with pytest.raises(StudyNotPermitted):
        jobs.wait(job, seconds=60)
    assert scene.only().state is JobState.STOPPED
    assert not scene.world.budget_store.entries


def test_run_that_fails_says_why_to_whoever_waits_and_to_whoever_looks(scene: Scene) -> None:
    scene.world.policy = replace(scene.world.policy, epsilon=100_000)
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    jobs.start()
    with pytest.raises(BudgetExceeded):
        jobs.wait(job, seconds=60)
    assert (scene.only().state, scene.only().code) == (JobState.FAILED, "privacy_budget_exceeded")


def test_defect_ends_a_run_without_its_text(scene: Scene) -> None:
    def broken() -> None:
        raise ZeroDivisionError("patient 7")

    scene.opening(5, broken)
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    jobs.start()
    with pytest.raises(Exception, match="Report this"):
        jobs.wait(job, seconds=60)
    assert (scene.only().state, scene.only().code) == (JobState.FAILED, "internal")


def test_run_that_a_crash_ended_is_taken_up_and_pays_nothing_twice(
    scene: Scene, crash: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = scene.jobs()
    job = scene.enqueue(before)
    scene.world.answers.crash_next = True
    claimed = before._claim(takeover=False)
    assert claimed is not None
    with pytest.raises(crash):
        before._carry_out(claimed)
    assert scene.only().state is JobState.RUNNING
    after = scene.jobs()
    after.start()
    ended = after.wait(job, seconds=60)
    assert (ended.state, ended.attempts) == (JobState.DONE, 2)
    assert len(scene.world.budget_store.entries) == 1


@dataclass
class Dying:
    """Ends the process at the call of one step of a release, before or after it took effect."""

    scene: Scene
    step: str
    after: bool
    crash: type[BaseException]

    def die(self, monkeypatch: pytest.MonkeyPatch) -> Job:
        """Drive a run until the process ends there; return the job as it was left."""
        owner = {"commit": self.scene, "append": self.scene.log, "record": self.scene}[self.step]
        real = getattr(owner, self.step)

        def dying(*given: Any, **named: Any) -> None:
            if self.after:
                real(*given, **named)
            raise self.crash

        jobs = self.scene.jobs()
        job = self.scene.enqueue(jobs)
        claimed = jobs._claim(takeover=False)
        assert claimed is not None
        with monkeypatch.context() as patch:
            patch.setattr(owner, self.step, dying)
            with pytest.raises(self.crash):
                jobs._carry_out(claimed)
        return self.scene.store.known[job.job_id]


RELEASES = pytest.mark.parametrize(
    ("step", "after"), [(step, after) for step in ("commit", "append", "record") for after in (False, True)]
)


@pytest.fixture
def dying(scene: Scene, crash: type[BaseException]) -> Callable[[str, bool], Dying]:
    return lambda step, after: Dying(scene, step, after, crash)


@RELEASES
def test_result_that_a_crash_kept_from_release_is_released_and_not_made_anew(
    scene: Scene,
    dying: Callable[[str, bool], Dying],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    after: bool,
) -> None:
    left = dying(step, after).die(monkeypatch)
    assert (left.state, left.result) == (JobState.RUNNING, b"")
    assert left.prepared
    scene.later_block()
    jobs = scene.jobs()
    jobs.start()
    ended = jobs.wait(left, seconds=60)
    assert (ended.state, ended.prepared) == (JobState.DONE, b"")
    digest = jobs.result(ended)["digest"]
    assert {"0x" + each.hex() for each in scene.committed} == {digest}
    assert [entry.type for entry in scene.log.entries.values()] == [codes.STUDY_RUN]
    assert {run.result for run in scene.released} == set(scene.committed)
    assert len(scene.world.uses.runs) == 1


@RELEASES
def test_committed_result_whose_consents_changed_is_withheld_by_name_and_made_anew(
    scene: Scene,
    dying: Callable[[str, bool], Dying],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    after: bool,
) -> None:
    left = dying(step, after).die(monkeypatch)
    scene.source.people.pop()  # somebody revoked
    jobs = scene.jobs()
    jobs.start()
    ended = jobs.wait(left, seconds=60)
    assert ended.state is JobState.DONE
    newest = bytes.fromhex(jobs.result(ended)["digest"][2:])
    withheld = scene.of(codes.STUDY_RESULT_WITHHELD)
    assert set(withheld) == set(scene.committed) - {newest}
    assert len(withheld) == (0 if (step, after) == ("commit", False) else 1)
    assert scene.released[-1].result == newest


@RELEASES
def test_committed_result_of_a_study_that_was_suspended_meanwhile_is_withheld_by_name(
    scene: Scene,
    dying: Callable[[str, bool], Dying],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    after: bool,
) -> None:
    left = dying(step, after).die(monkeypatch)
    jobs = scene.jobs()
    scene.suspend()
    jobs.start()
    with pytest.raises(StudyNotPermitted):
        jobs.wait(left, seconds=60)
    ended = scene.only()
    assert (ended.state, ended.result, ended.prepared) == (JobState.STOPPED, b"", b"")
    assert scene.of(codes.STUDY_RESULT_WITHHELD) == scene.committed


def test_result_waits_for_a_chain_that_is_away_however_often_it_is_tried(scene: Scene) -> None:
    scene.chain_away = True
    jobs = scene.jobs(alone=False)
    job = scene.enqueue(jobs)
    for _ in range(MAX_ATTEMPTS + 2):
        claimed = jobs._claim(takeover=False)
        assert claimed is not None
        jobs._carry_out(claimed)
        assert scene.only().state is JobState.RUNNING
        assert jobs._claim(takeover=False) is None  # not at once
        scene.world.now[0] += round(driver.LOOK_SECONDS)
    scene.chain_away = False
    other = scene.jobs(alone=False)
    other.start()
    assert other.wait(job, seconds=60).state is JobState.DONE
    assert len(scene.world.uses.runs) == 1


def test_result_on_its_way_out_is_shown_to_nobody(
    scene: Scene, dying: Callable[[str, bool], Dying], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = dying("append", False).die(monkeypatch)
    assert scene.jobs().get(scene.study, left.job_id).result == b""


def test_job_of_another_process_is_left_until_its_lease_is_over(scene: Scene) -> None:
    other, own = scene.jobs(alone=False), scene.jobs(alone=False)
    scene.enqueue(other)
    assert other._claim(takeover=False) is not None
    assert own._claim(takeover=False) is None
    scene.world.now[0] += driver.LEASE_SECONDS + 1
    taken = own._claim(takeover=False)
    assert taken is not None
    assert taken.attempts == 2


def test_result_of_a_job_that_another_process_took_is_dropped(scene: Scene) -> None:
    first, second = scene.jobs(alone=False), scene.jobs(alone=False)
    scene.enqueue(first)
    claimed = first._claim(takeover=False)
    assert claimed is not None
    scene.world.now[0] += driver.LEASE_SECONDS + 1
    taken = second._claim(takeover=False)
    first._carry_out(claimed)
    assert scene.only() == taken


def test_run_that_was_begun_too_often_fails(scene: Scene) -> None:
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    for _ in range(MAX_ATTEMPTS):
        assert jobs._claim(takeover=True) is not None
    assert jobs._claim(takeover=True) is None
    ended = jobs.get(scene.study, job.job_id)
    assert (ended.state, ended.code) == (JobState.FAILED, INTERRUPTED)


def test_stop_of_the_service_puts_a_run_back_into_the_queue(scene: Scene) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def pause() -> None:
        reached.set()
        assert go_on.wait(30)

    scene.opening(10, pause)
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    jobs.start()
    assert reached.wait(30)
    closing = threading.Thread(target=jobs.close)
    closing.start()
    deadline = time.monotonic() + 60
    while not jobs._ending.is_set():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    go_on.set()
    closing.join(timeout=30)
    assert (scene.only().state, scene.only().attempts) == (JobState.QUEUED, 0)
    after = scene.jobs()
    after.start()
    assert after.wait(job, seconds=60).state is JobState.DONE


def test_run_of_another_study_looks_like_none(scene: Scene, proposal_with: Callable[..., Proposal]) -> None:
    jobs = scene.jobs()
    job = scene.enqueue(jobs)
    other = scene.world.approved(proposal_with(title="Another"))
    for study, job_id in ((other, job.job_id), (scene.study, JobId(bytes(16)))):
        with pytest.raises(RunNotFound):
            jobs.get(study, job_id)


def test_result_that_was_moved_to_another_run_does_not_open(scene: Scene) -> None:
    jobs = scene.jobs()
    jobs.start()
    ended = jobs.wait(scene.enqueue(jobs), seconds=60)
    with pytest.raises(SealedDocumentRefused):
        jobs.result(replace(ended, job_id=JobId(bytes(16))))
    assert ended.changed_at == UnixSeconds(scene.world.now[0])


@pytest.fixture
def of_records(scene: Scene, proposal_with: Callable[..., Proposal], candidate_with: People) -> Scene:
    """A study that asks for records of single patients."""
    paper = ProtocolDocument("Agreement", "text/plain", Bytes32(b"d" * 32))
    scene.study = scene.world.approved(
        proposal_with(outputs=(Count("all"), Records("records", ("demographics",))), documents=(paper,))
    )
    scene.source.people = [with_records(candidate_with(number)) for number in range(1, 21)]
    return scene


def with_records(person: Candidate) -> Candidate:
    patient = {"resourceType": "Patient", "id": "p", "birthDate": "1980-05-17"}
    own = Individual(
        frozenset({"demographics"}),
        person.consents,
        person.terms,
        lambda: [RecordEntries(RecordId(bytes(16)), [(None, patient)])],
        lambda _: None,
    )
    return replace(person, individual=own)


def test_run_for_records_waits_for_a_key_to_seal_them_to(of_records: Scene) -> None:
    with pytest.raises(ResearcherKeyMissing):
        of_records.enqueue(of_records.jobs())
    assert not of_records.store.known


def test_records_are_kept_of_the_newest_run_alone(of_records: Scene) -> None:
    of_records.recipients.key = RecipientPrivateKey(Secret(b"\x0a" * 32))
    jobs = of_records.jobs()
    jobs.start()
    kept = []
    for _ in range(2):
        ended = jobs.wait(of_records.enqueue(jobs), seconds=60)
        found = jobs.kept(ended).export
        assert found is not None
        assert {name for name, _ in of_records.exports.kept} == {found.export}
        kept.append(found)
    assert kept[0].release == kept[1].release  # over the same consents it is the same
    assert kept[0].export != kept[1].export
    running = [
        (phase, percent) for state, phase, percent in of_records.store.seen if state is JobState.RUNNING
    ]
    assert all(percent % 5 == 0 for _, percent in running)


def test_records_of_a_run_that_is_not_released_are_not_kept(of_records: Scene) -> None:
    of_records.recipients.key = RecipientPrivateKey(Secret(b"\x0a" * 32))
    of_records.chain_refuses = True
    jobs = of_records.jobs()
    job = of_records.enqueue(jobs)
    jobs.start()
    with pytest.raises(Conflict):
        jobs.wait(job, seconds=60)
    jobs.close()
    assert not of_records.exports.kept


def test_suspension_stops_a_run_while_records_are_read(of_records: Scene) -> None:
    of_records.recipients.key = RecipientPrivateKey(Secret(b"\x0a" * 32))
    read: list[int] = []

    def reading(place: int) -> None:
        person = of_records.source.people[place]
        assert person.individual is not None

        def records() -> list[RecordEntries]:
            read.append(place)
            of_records.stops.accept(of_records.study.study_id, "suspension")
            return []

        own = replace(person.individual, records=records)
        of_records.source.people[place] = replace(person, individual=own)

    for place in range(20):
        reading(place)
    jobs = of_records.jobs()
    job = of_records.enqueue(jobs)
    jobs.start()
    with pytest.raises(StudyNotPermitted):
        jobs.wait(job, seconds=60)
    assert len(read) == 1
    assert not of_records.log.entries
