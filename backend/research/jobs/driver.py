"""Drives the queued runs, one after the other, in a thread of the service.

A run may be begun again after whatever ended the one before: a charge is found by its id and costs nothing a
second time. A job whose holder is gone is taken up when its lease is over, or at the start where no other
process can hold it; begun for the fourth time it fails.

A result is kept before it is committed to. Whoever takes the job up then goes on from there, as often as it
takes, if the study may still run over the same consents; otherwise the result is withheld.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from backend.audit.entry import Agent
from backend.errors import AssentError, Unavailable
from backend.recurring import Recurring
from backend.research.board.stops import StopGuard
from backend.research.cohort import distinct, snapshot
from backend.research.errors import RunNotFound, RunResultRemoved, RunResultTooLarge, StudyNotPermitted
from backend.research.exports.types import KeptExport
from backend.research.jobs.kept import KeptResult
from backend.research.jobs.releasing import Releasing
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


class Exports(Protocol):
    """Implemented by ``exports.keeping.ExportKeeper``."""

    def require_recipient(self, study: Study, researcher: MemberId) -> None: ...

    def keep(self, study: Study, result: RunResult, *, researcher: MemberId) -> KeptExport | None: ...

    def settle(self, study: StudyId, kept: KeptExport | None) -> None: ...

    def drop(self, kept: KeptExport | None) -> None: ...


class _Interrupted(Exception):
    """The service stops, or another process took the job: it is not ended here."""


class RunJobs(Recurring):
    """Queues runs, drives them and tells how they stand. ``start`` once, ``close`` at the end."""

    def __init__(
        self,
        *,
        store: JobStore,
        studies: StudyService,
        permits: PermitReader,
        guard: Callable[[StudyId], StopGuard],
        releasing: Releasing,
        exports: Exports,
        runner: StudyRunner,
        candidates: Candidates,
        sealer: DocumentSealer,
        clock: Callable[[], int],
        alone: bool,
    ) -> None:
        super().__init__(
            name="research-runs",
            every_seconds=LOOK_SECONDS,
            log=_LOG,
            failing="the queue of runs cannot be read",
        )
        self._store = store
        self._studies = studies
        self._permits = permits
        self._guard = guard  # raises StudyNotPermitted once a stop of the study arrives
        self._releasing = releasing
        self._exports = exports
        self._runner = runner
        self._candidates = candidates
        self._sealer = sealer
        self._clock = clock
        self._takeover = alone  # at the start: no other process can hold a job
        self._holder = secrets.token_hex(8)
        self._ended = threading.Condition()
        self._failures: OrderedDict[JobId, AssentError] = OrderedDict()

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
        self._soon()
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
        """What a job that is done gave, as its researcher sees it. Raises SealedDocumentRefused,
        RunResultRemoved.

        Of a dataset there are no rows in it: they leave sealed (``datasets.service``), and not here.
        """
        found = self.kept(job)
        table = found.result["table"]
        if found.apart and table is not None:
            return {**found.result, "table": {**table, "rows": []}}
        return found.result

    def kept(self, job: Job) -> KeptResult:
        """All that was kept of a job that is done. Raises SealedDocumentRefused, RunResultRemoved."""
        if job.removed_at is not None:
            raise RunResultRemoved
        return self._opened(job, job.result)

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

    def _round(self) -> None:
        """Run what waits longest; it goes back into the queue at the next patient when the service closes."""
        job = self._claim(takeover=self._takeover)
        self._takeover = self._takeover and job is not None
        if job is not None:
            self._carry_out(job)
            self._soon()

    def _claim(self, *, takeover: bool) -> Job | None:
        now = self._now()
        for job in self._store.open():
            leased = job.state is JobState.RUNNING and job.leased_until is not None and job.leased_until > now
            if leased and job.holder != self._holder and not takeover:
                continue
            if job.attempts >= MAX_ATTEMPTS and not job.prepared:
                self._end(job, JobState.FAILED, code=INTERRUPTED)
                continue
            claimed = job.after(
                at=now,
                state=JobState.RUNNING,
                phase=Phase.RESULT if job.prepared else Phase.CONSENTS,
                percent=0,
                attempts=job.attempts + 1,
                holder=self._holder,
                leased_until=UnixSeconds(now + LEASE_SECONDS),
            )
            if self._store.replace(claimed):
                return claimed
        return None

    def _carry_out(self, job: Job) -> None:
        guard = self._guard(job.study)
        watch = Watch(job, glance=guard.glance, check=lambda: self._check(job), progress=self._progress)
        made: KeptExport | None = None
        try:
            study = self._studies.get(job.study)
            kept = self._resumed(watch, study)
            if kept is None:
                found = self._candidates.of(study, agent=job.agent, researcher=job.researcher)
                result = self._runner.run(study, watch.watched(found))
                made = self._exports.keep(study, result, researcher=job.researcher)
                kept = KeptResult.of(study, result, made)
                sealed = self._sealed(job.job_id, kept)
                watch.job = self._changed(watch.job, phase=Phase.RESULT, percent=0, prepared=sealed)
            self._releasing.release(watch.job, study, kept, guard=guard)
            if self._end(watch.job, JobState.DONE, result=watch.job.prepared):
                self._settle(job, kept.export)
        except _Interrupted:
            back = watch.job.after(at=self._now(), state=JobState.QUEUED, attempts=job.attempts - 1)
            self._store.replace(back)
        except Unavailable as failure:
            if watch.job.prepared:
                self._leave(watch.job, failure)
            else:
                self._fail(watch.job, JobState.FAILED, failure)
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
            if made is not None and not watch.job.prepared:  # nothing names it
                self._put_away(lambda: self._exports.drop(made))

    def _settle(self, job: Job, export: KeptExport | None) -> None:
        """Leave the export of the run that is done, and no other of the study."""
        self._put_away(lambda: self._exports.settle(job.study, export))

    @staticmethod
    def _put_away(step: Callable[[], None]) -> None:
        try:
            step()
        except Unavailable as failure:  # the next run of the study does it
            _LOG.warning("an export of a study was not put away", extra={"code": failure.code})

    def _withhold(self, job: Job, study: Study, kept: KeptResult) -> None:
        """Let a result that was prepared not leave, nor what lies beside it. Raises Unavailable."""
        self._releasing.withhold(job, study, kept)
        self._exports.drop(kept.export)

    def _resumed(self, watch: Watch, study: Study) -> KeptResult | None:
        """The result that an attempt before has prepared; None where there is none, or its consents changed.

        Raises StudyNotPermitted.
        """
        job = watch.job
        if not job.prepared:
            return None
        self._check(job)
        kept = self._opened(job, job.prepared)
        now = distinct(self._candidates.of(study, agent=job.agent, researcher=job.researcher))
        if snapshot(now) == kept.snapshot:
            return kept
        self._withhold(job, study, kept)
        watch.job = self._changed(job, phase=Phase.CONSENTS, prepared=b"")
        return None

    def _opened(self, job: Job, sealed: bytes) -> KeptResult:
        return KeptResult.decode(self._sealer.open(sealed, subject=None, place=place_of(job.job_id.hex())))

    def _sealed(self, job_id: JobId, kept: KeptResult) -> bytes:
        encoded = kept.encoded()
        if len(encoded) > MAX_RESULT_BYTES:
            raise RunResultTooLarge
        return self._sealer.seal(encoded, subject=None, place=place_of(job_id.hex()))

    def _leave(self, job: Job, failure: Unavailable) -> None:
        """Let a result that is on its way out wait for what does not answer."""
        _LOG.warning("a result is not released yet", extra={"code": failure.code})
        again = UnixSeconds(self._now() + round(LOOK_SECONDS))
        self._store.replace(job.after(at=self._now(), holder="", leased_until=again))

    def _fail(self, job: Job, state: JobState, failure: AssentError) -> None:
        if job.prepared:
            try:
                self._withhold(job, self._studies.get(job.study), self._opened(job, job.prepared))
            except Unavailable as away:
                self._leave(job, away)
                return
            except AssentError as damage:
                _LOG.warning("a result cannot be withheld by name", extra={"code": damage.code})
        self._failures[job.job_id] = failure
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)
        self._end(job, state, code=failure.code)

    def _end(self, job: Job, state: JobState, *, code: str = "", result: bytes = b"") -> bool:
        """End a job, and tell whether it was this process's to end."""
        percent = 100 if state is JobState.DONE else job.percent
        phase = Phase.RESULT if state is JobState.DONE else job.phase
        ended = job.after(
            at=self._now(),
            state=state,
            code=code,
            result=result,
            prepared=b"",
            percent=percent,
            phase=phase,
        )
        ours = self._store.replace(ended)
        if not ours:
            _LOG.warning("a run was taken by another process; what was found here is dropped")
        with self._ended:
            self._ended.notify_all()
        return ours

    def _check(self, job: Job) -> None:
        """Raise StudyNotPermitted when the study may not go on, _Interrupted when the service stops."""
        if self._ending.is_set():
            raise _Interrupted
        study = self._studies.get(job.study)
        require_permitted(study, self._permits.permit(job.study), self._clock())

    def _progress(self, job: Job, phase: Phase, percent: int) -> Job:
        """Write down how far a job is, and renew its lease."""
        return self._changed(job, phase=phase, percent=percent)

    def _changed(self, job: Job, **changes: object) -> Job:
        """Store the next revision of a job that is ours, its lease renewed."""
        now = self._now()
        moved = job.after(at=now, leased_until=UnixSeconds(now + LEASE_SECONDS), **changes)
        if not self._store.replace(moved):
            raise _Interrupted
        return moved

    def _now(self) -> UnixSeconds:
        return UnixSeconds(self._clock())
