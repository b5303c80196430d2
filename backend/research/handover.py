"""What holds for all that is given out after a run: a permit, consents that stand, and an entry before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.research.cohort import distinct, snapshot
from backend.research.datasets.errors import DatasetOutdated
from backend.research.jobs.driver import Candidates, KeptResult, RunJobs
from backend.research.jobs.types import Job, JobState
from backend.research.permits import require_permitted
from backend.research.ports import PermitReader
from backend.research.study import Study
from backend.research.types import StudyId
from backend.types import MemberId


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    runs: RunJobs
    candidates: Candidates
    permits: PermitReader
    guard: Callable[[StudyId], Callable[[], None]]
    audit: AuditLog
    clock: Callable[[], int]

    def kept(self, study: Study, job: Job) -> KeptResult | None:
        """What was kept of a run that is done. Raises StudyNotPermitted, LedgerUnavailable."""
        require_permitted(study, self.permits.permit(study.study_id), self.clock())
        return self.runs.kept(job) if job.state is JobState.DONE else None

    def require_standing(self, study: Study, kept: KeptResult, *, agent: Agent, researcher: MemberId) -> None:
        """Raise DatasetOutdated unless all consents of the run stand and no other was given since: whoever
        ended one is in no extract from then on."""
        now = distinct(self.candidates.of(study, agent=agent, researcher=researcher))
        if snapshot(now) != kept.snapshot:
            raise DatasetOutdated

    def log(self, study: Study, kind: str, release: bytes, *, agent: Agent, researcher: MemberId) -> None:
        """Append the entry, durable on return. Raises StudyNotPermitted where a stop came first, and what the
        log raises."""
        entry = AuditEvent(
            type=kind,
            outcome=Outcome.CHANGED,
            occurred_at_ms=self.clock() * 1000,
            actor=agent,
            organisation=researcher,
            purpose=study.proposal.purpose,
            detail={"study": bytes(study.study_id), "release": release},
        )
        self.audit.append(entry, guard=self.guard(study.study_id))
