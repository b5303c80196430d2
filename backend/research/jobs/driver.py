"""Drives the queued runs, one after the other, in a thread of the service.

A run may be begun again after whatever ended the one before: a charge is found by its id and costs nothing a
second time, and the entry in the audit log names the job. A job whose holder is gone is taken up when its
lease is over, or at the start where no other process can hold it; begun for the fourth time it fails.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.errors import AssentError, Unavailable
from backend.research.board.ports import StudyRun
from backend.research.canonical import digest_of
from backend.research.errors import RunNotFound, RunResultTooLarge, StudyNotPermitted
from backend.research.exports.types import KeptExport
from backend.research.jobs.types import ENDED, Job, JobId, JobState, JobStore, Phase, place_of
from backend.research.jobs.watching import Watch
from backend.research.permits import require_permitted
from backend.research.ports import PermitReader
from backend.research.result import RunResult
from backend.research.run import StudyRunner
from backend.research.service import StudyService
from backend.research.study import Study
from backend.research.types import Candidate, StudyId
from backend.sealed import DocumentSealer
from backend.types import MemberId, UnixSeconds

_LOG = logging.getLogger("assent.research")
LEASE_SECONDS: Final = 600
LOOK_SECONDS: Final = 5.0  # for jobs of another process whose lease is over
MAX_ATTEMPTS: Final = 3
MAX_RESULT_BYTES: Final = 8 * 1024 * 1024  # the index holds documents of up to 16 MB
INTERRUPTED: Final = "run_interrupted"
_REMEMBERED: Final = 256


class Candidates(Protocol):
    def of(self, study: Study, *, agent: Agent, researcher: MemberId) -> Iterator[Candidate]: ...


class Usage(Protocol):
    def record(self, run: StudyRun) -> None:
        """Keep that a result is released, before it leaves."""


@dataclass(frozen=True, slots=True)
class KeptResult:
    """``result`` with its digest, and beside it ``snapshot`` (32 bytes), of the consents it was made under,
    and ``pseudonyms``, of a table's rows. ``apart``: the rows leave as a dataset alone. ``export``: where the
    records of single patients lie, if the run made any."""

    result: dict[str, Any]
    snapshot: bytes
    pseudonyms: tuple[str, ...]
    apart: bool
    export: KeptExport | None


class Commits(Protocol):
    def commit(self, study: Study, result: RunResult, *, by: Agent) -> None:
        """Have the chain hold the result's hash, before it is released; the same again does nothing."""


class Exports(Protocol):
    """Implemented by ``exports.keeping.ExportKeeper``."""

    def require_recipient(self, study: Study, researcher: MemberId) -> None: ...

    def keep(self, study: Study, result: RunResult, *, researcher: MemberId) -> KeptExport | None: ...

    def settle(self, study: StudyId, kept: KeptExport | None) -> None: ...

    def drop(self, kept: KeptExport | None) -> None: ...


class _Interrupted(Exception):
    """The service stops, or another process took the job: it is not ended here."""


class RunJobs:
    """Queues runs, drives them and tells how they stand. ``start`` once, ``close`` at the end."""

    def __init__(
        self,
        *,
        store: JobStore,
        studies: StudyService,
        permits: PermitReader,
        guard: Callable[[StudyId], Callable[[], None]],
        usage: Usage,
        commits: Commits,
        exports: Exports,
        runner: StudyRunner,
        candidates: Candidates,
        audit: AuditLog,
        sealer: DocumentSealer,
        clock: Callable[[], int],
        alone: bool,
    ) -> None:
        self._store = store
        self._studies = studies
        self._permits = permits
        self._guard = guard  # raises StudyNotPermitted once a stop of the study arrives
        self._usage = usage
        self._commits = commits
        self._exports = exports
        self._runner = runner
        self._candidates = candidates
        self._audit = audit
        self._sealer = sealer
        self._clock = clock
        self._alone = alone  # no other process can hold a job
        self._holder = secrets.token_hex(8)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._ended = threading.Condition()
        self._failures: OrderedDict[JobId, AssentError] = OrderedDict()
        self._thread = threading.Thread(target=self._drive, name="research-runs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop; a run under way goes back into the queue at the next patient."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def enqueue(self, study: Study, *, agent: Agent, researcher: MemberId) -> Job:
        """Queue a run, or return the one of this study that is queued or running.

        Raises StudyNotPermitted, LedgerUnavailable, ResearcherKeyMissing (records leave only sealed, from the
        moment they are made).
        """
        require_permitted(study, self._permits.permit(study.study_id), self._clock())
        self._exports.require_recipient(study, researcher)
        now = self._now()
        job = self._store.add(
            Job(
                job_id=JobId(secrets.token_bytes(16)),
                study=study.study_id,
                researcher=researcher,
                agent=agent,
                state=JobState.QUEUED,
                created_at=now,
                changed_at=now,
            )
        )
        self._wake.set()
        return job

    def get(self, study: Study, job_id: JobId) -> Job:
        """Raises RunNotFound, also for a run of another study."""
        job = self._store.get(job_id)
        if job is None or job.study != study.study_id:
            raise RunNotFound
        return job

    def of_study(self, study: Study, *, limit: int) -> list[Job]:
        return self._store.of_study(study.study_id, limit=limit)

    def result(self, job: Job) -> dict[str, Any]:
        """What a job that is done gave, as its researcher sees it. Raises SealedDocumentRefused.

        Of a dataset there are no rows in it: they leave sealed (``datasets.service``), and not here.
        """
        found = self.kept(job)
        table = found.result["table"]
        if found.apart and table is not None:
            return {**found.result, "table": {**table, "rows": []}}
        return found.result

    def kept(self, job: Job) -> KeptResult:
        """All that was kept of a job that is done. Raises SealedDocumentRefused."""
        opened = self._sealer.open(job.result, subject=None, place=place_of(job.job_id.hex()))
        found: dict[str, Any] = json.loads(opened)
        export = found.get("export")
        return KeptResult(
            found["result"],
            bytes.fromhex(found["snapshot"]),
            tuple(found["pseudonyms"]),
            found["apart"],
            None if export is None else KeptExport.from_json(export),
        )

    def wait(self, job: Job, *, seconds: float) -> Job:
        """Return the job when it has ended, or as it stands when the time is up.

        Raises the error that a run in this process ended with.
        """
        deadline = time.monotonic() + seconds
        with self._ended:
            while True:
                now = self.get(self._studies.get(job.study), job.job_id)
                if now.state in ENDED:
                    if job.job_id in self._failures:
                        raise self._failures[job.job_id]
                    return now
                left = deadline - time.monotonic()
                if left <= 0:
                    return now
                self._ended.wait(min(left, 1.0))  # another process may end it, too

    # --- the thread ---------------------------------------------------------------------------------------

    def _drive(self) -> None:
        takeover = self._alone
        while not self._stop.is_set():
            self._wake.clear()
            try:
                job = self._claim(takeover=takeover)
                takeover = takeover and job is not None
                if job is not None:
                    self._run(job)
                    continue
            except Unavailable as failure:
                _LOG.warning("the queue of runs cannot be read", extra={"code": failure.code})
            except Exception:  # noqa: BLE001 - nothing may end the thread; it is logged
                _LOG.exception("the queue of runs failed unexpectedly")
            self._wake.wait(LOOK_SECONDS)

    def _claim(self, *, takeover: bool) -> Job | None:
        now = self._now()
        for job in self._store.open():
            leased = job.state is JobState.RUNNING and job.leased_until is not None and job.leased_until > now
            if leased and job.holder != self._holder and not takeover:
                continue
            if job.attempts >= MAX_ATTEMPTS:
                self._end(job, JobState.FAILED, code=INTERRUPTED)
                continue
            claimed = job.after(
                at=now,
                state=JobState.RUNNING,
                phase=Phase.CONSENTS,
                percent=0,
                attempts=job.attempts + 1,
                holder=self._holder,
                leased_until=UnixSeconds(now + LEASE_SECONDS),
            )
            if self._store.replace(claimed):
                return claimed
        return None

    def _run(self, job: Job) -> None:
        guard = self._guard(job.study)
        watch = Watch(job, guard=guard, check=lambda: self._check(job), progress=self._progress)
        export: KeptExport | None = None
        done = False
        try:
            study = self._studies.get(job.study)
            found = self._candidates.of(study, agent=job.agent, researcher=job.researcher)
            result = self._runner.run(study, watch.watched(found))
            document = {**result.as_json(), "digest": "0x" + result.digest.hex()}
            export = self._exports.keep(study, result, researcher=job.researcher)
            kept = {
                "result": document,
                "snapshot": result.snapshot.hex(),
                "pseudonyms": list(result.row_pseudonyms),
                "apart": study.proposal.dataset is not None,
                "export": None if export is None else export.as_json(),
            }
            sealed = self._sealed(job.job_id, kept)
            self._commits.commit(study, result, by=job.agent)
            # The entry is the ordering point: a stop received before it keeps the result here.
            entry = _entry(job, study, result.digest, self._clock())
            self._audit.append(entry, guard=guard, act=bytes(job.job_id))
            released = document["table"] or document.get("fhir")
            of_release = b"" if released is None else digest_of(released)
            self._usage.record(StudyRun(job.study, result.run_id, result.digest, of_release, self._now()))
            done = self._end(watch.job, JobState.DONE, result=sealed)
        except _Interrupted:
            back = watch.job.after(at=self._now(), state=JobState.QUEUED, attempts=job.attempts - 1)
            self._store.replace(back)
        except StudyNotPermitted as stopped:
            self._fail(watch.job, JobState.STOPPED, stopped)
        except AssentError as failure:
            self._fail(watch.job, JobState.FAILED, failure)
        except Exception as failure:  # noqa: BLE001 - a defect must not leave a run without an end
            _LOG.exception("a run failed unexpectedly")
            unknown = AssentError()
            unknown.__cause__ = failure
            self._fail(watch.job, JobState.FAILED, unknown)
        finally:
            self._settle(job, export, done=done)

    def _settle(self, job: Job, export: KeptExport | None, *, done: bool) -> None:
        """Leave the export of the run that is done, and no other."""
        try:
            if done:
                self._exports.settle(job.study, export)
            else:
                self._exports.drop(export)
        except Unavailable as failure:  # the next run of the study does it
            _LOG.warning("an export of a study was not put away", extra={"code": failure.code})

    def _sealed(self, job_id: JobId, document: dict[str, Any]) -> bytes:
        encoded = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        if len(encoded) > MAX_RESULT_BYTES:
            raise RunResultTooLarge
        return self._sealer.seal(encoded, subject=None, place=place_of(job_id.hex()))

    def _fail(self, job: Job, state: JobState, failure: AssentError) -> None:
        self._failures[job.job_id] = failure
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)
        self._end(job, state, code=failure.code)

    def _end(self, job: Job, state: JobState, *, code: str = "", result: bytes = b"") -> bool:
        """End a job, and tell whether it was this process's to end."""
        percent = 100 if state is JobState.DONE else job.percent
        phase = Phase.RESULT if state is JobState.DONE else job.phase
        ended = job.after(at=self._now(), state=state, code=code, result=result, percent=percent, phase=phase)
        ours = self._store.replace(ended)
        if not ours:
            _LOG.warning("a run was taken by another process; what was found here is dropped")
        with self._ended:
            self._ended.notify_all()
        return ours

    def _check(self, job: Job) -> None:
        """Raise StudyNotPermitted when the study may not go on, _Interrupted when the service stops."""
        if self._stop.is_set():
            raise _Interrupted
        study = self._studies.get(job.study)
        require_permitted(study, self._permits.permit(job.study), self._clock())

    def _progress(self, job: Job, phase: Phase, percent: int) -> Job:
        """Write down how far a job is, and renew its lease."""
        now = self._now()
        moved = job.after(at=now, phase=phase, percent=percent, leased_until=UnixSeconds(now + LEASE_SECONDS))
        if not self._store.replace(moved):
            raise _Interrupted
        return moved

    def _now(self) -> UnixSeconds:
        return UnixSeconds(self._clock())


def _entry(job: Job, study: Study, digest: bytes, now: int) -> AuditEvent:
    return AuditEvent(
        type=codes.STUDY_RUN,
        outcome=Outcome.CHANGED,
        occurred_at_ms=now * 1000,
        actor=job.agent,
        organisation=job.researcher,
        purpose=study.proposal.purpose,
        detail={"study": bytes(job.study), "result": digest},
    )
