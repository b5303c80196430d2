"""A run of a study as it is queued, and the port to where it is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NewType, Protocol

from backend.audit.entry import Agent
from backend.research.types import StudyId
from backend.types import MemberId, UnixSeconds

JobId = NewType("JobId", bytes)  # 16 random bytes


def place_of(name: str) -> str:
    """Where the result of a run lies, given its id in hex."""
    return f"research_jobs/{name}"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"  # the permit ended, or the study was suspended, meanwhile


ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.STOPPED})


class Phase(StrEnum):
    CONSENTS = "consents"  # who takes part is being decided
    RECORDS = "records"  # their records are being read
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class Job:
    """``percent`` is of the phase, in steps of 5: the numbers behind it would tell how large a cohort is.

    ``code`` is the error code of a job that failed or was stopped. ``attempts`` counts how often it was
    begun. ``holder`` drives it until ``leased_until`` (unix seconds). ``revision`` rises with each change,
    for compare-and-swap. ``result`` is sealed; b"" while there is none. ``prepared`` is a result on its way
    out, sealed too, and not to be given to anybody: from before it is committed to until the job has ended.
    ``removed_at``: when retention took the result away.
    """

    job_id: JobId
    study: StudyId
    researcher: MemberId
    agent: Agent
    state: JobState
    created_at: UnixSeconds
    changed_at: UnixSeconds
    phase: Phase = Phase.CONSENTS
    percent: int = 0
    code: str = ""
    attempts: int = 0
    holder: str = ""
    leased_until: UnixSeconds | None = None
    result: bytes = b""
    prepared: bytes = b""
    removed_at: UnixSeconds | None = None
    revision: int = 1

    def after(self, *, at: UnixSeconds, **changes: object) -> Job:
        """The next revision."""
        return replace(self, changed_at=at, revision=self.revision + 1, **changes)  # type: ignore[arg-type]


class JobStore(Protocol):
    """Jobs. Every write is durable on return. All raise IndexUnavailable."""

    def add(self, job: Job) -> Job:
        """Store a new job, or return the one of its study that has not ended: a study has one at a time."""

    def get(self, job_id: JobId) -> Job | None: ...

    def replace(self, job: Job) -> bool:
        """Store a job whose revision is one above the stored one's; False when it is not."""

    def of_study(self, study: StudyId, *, limit: int) -> list[Job]:
        """Newest first, without their results."""

    def open(self) -> list[Job]:
        """Those that have not ended, oldest first."""
