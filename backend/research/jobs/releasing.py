"""A result on its way out: committed to on the chain, in the audit log, noted for the board.

Each step may be done again after whatever ended it: the same result is committed to once, has one entry and
one row. A result that the chain has and that is not released after all is named in the log as withheld, so
that nobody misses what the chain speaks of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.audit.types import ACT_BYTES
from backend.research.board.ports import StudyRun
from backend.research.jobs.kept import KeptResult
from backend.research.jobs.types import Job
from backend.research.result import Commitment
from backend.research.study import Study
from backend.types import UnixSeconds


class Usage(Protocol):
    def record(self, run: StudyRun) -> None:
        """Keep that a result is released, before it leaves."""


class Commits(Protocol):
    def commit(self, study: Study, result: Commitment, *, by: Agent) -> None:
        """Have the chain hold the result's hash, before it is released; the same again does nothing."""

    def is_committed(self, study: Study, digest: bytes) -> bool:
        """Whether the chain has the hash, or will have it by itself."""


class Releasing:
    def __init__(self, *, commits: Commits, usage: Usage, audit: AuditLog, clock: Callable[[], int]) -> None:
        self._commits = commits
        self._usage = usage
        self._audit = audit
        self._clock = clock

    def release(self, job: Job, study: Study, kept: KeptResult, *, guard: Callable[[], None]) -> None:
        """Do all that comes before the result is given out.

        Raises what ``guard`` raises once the study is stopped, a Conflict where the chain refuses, and
        Unavailable, after which the same is to be done again.
        """
        commitment = kept.commitment
        self._commits.commit(study, commitment, by=job.agent)
        # The entry is the ordering point: a stop received before it keeps the result here.
        event = self._event(codes.STUDY_RUN, job, study, commitment.digest)
        self._audit.append(event, guard=guard, act=_act(job, commitment.digest, "released"))
        now = UnixSeconds(self._clock())
        self._usage.record(StudyRun(job.study, commitment.run_id, commitment.digest, kept.released, now))

    def withhold(self, job: Job, study: Study, kept: KeptResult) -> None:
        """Say in the log that a result that the chain speaks of is not released. Raises Unavailable."""
        digest = kept.commitment.digest
        if self._commits.is_committed(study, digest):
            event = self._event(codes.STUDY_RESULT_WITHHELD, job, study, digest)
            self._audit.append(event, act=_act(job, digest, "withheld"))

    def _event(self, code: str, job: Job, study: Study, digest: bytes) -> AuditEvent:
        return AuditEvent(
            type=code,
            outcome=Outcome.CHANGED,
            occurred_at_ms=self._clock() * 1000,
            actor=job.agent,
            organisation=job.researcher,
            purpose=study.proposal.purpose,
            detail={"study": bytes(job.study), "result": digest},
        )


def _act(job: Job, digest: bytes, what: str) -> bytes:
    return hashlib.sha256(bytes(job.job_id) + digest + what.encode()).digest()[:ACT_BYTES]
