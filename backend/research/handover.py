"""What holds for all that is given out after a run: a permit, consents that stand, and an entry before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.errors import AssentError, Conflict, NotFound, NotPermitted
from backend.records.trail import STREAM_CUT
from backend.research.cohort import distinct, snapshot
from backend.research.datasets.errors import DatasetOutdated
from backend.research.jobs.driver import Candidates, RunJobs
from backend.research.jobs.kept import KeptResult
from backend.research.jobs.types import Job, JobState
from backend.research.permits import require_permitted
from backend.research.ports import PermitReader
from backend.research.study import Study
from backend.research.types import StudyId
from backend.types import MemberId


@dataclass(frozen=True, slots=True)
class SealedRelease:
    """``release`` is its id (32 bytes), the same for the same run and recipient. ``content`` of an export
    raises StreamCut where the rest may not leave."""

    release: bytes
    content: Iterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    runs: RunJobs
    candidates: Candidates
    permits: PermitReader
    guard: Callable[[StudyId], Callable[[], None]]
    audit: AuditLog
    clock: Callable[[], int]

    def kept(self, study: Study, job: Job) -> KeptResult | None:
        """What was kept of a run that is done. Raises as ``require_permit``."""
        self.require_permit(study)
        return self.runs.kept(job) if job.state is JobState.DONE else None

    def require_permit(self, study: Study) -> None:
        """Raises StudyNotPermitted, LedgerUnavailable."""
        require_permitted(study, self.permits.permit(study.study_id), self.clock())
        self.guard(study.study_id)()

    def require_standing(self, study: Study, kept: KeptResult, *, agent: Agent, researcher: MemberId) -> None:
        """Raise DatasetOutdated unless all consents of the run stand and no other was given since: whoever
        ended one is in no extract from then on."""
        now = distinct(self.candidates.of(study, agent=agent, researcher=researcher))
        if snapshot(now) != kept.snapshot:
            raise DatasetOutdated

    def log(self, study: Study, kind: str, release: bytes, *, agent: Agent, researcher: MemberId) -> None:
        """Append the entry, durable on return. Raises StudyNotPermitted where a stop came first, and what the
        log raises."""
        entry = self._entry(study, kind, release, agent, researcher)
        self.audit.append(entry, guard=self.guard(study.study_id))

    def log_cut(
        self,
        study: Study,
        kind: str,
        release: bytes,
        *,
        agent: Agent,
        researcher: MemberId,
        failure: AssentError,
        released_bytes: int,
    ) -> None:
        """Append that what the entry before tells of did not leave to its end, and why."""
        entry = self._entry(study, kind, release, agent, researcher)
        denied = isinstance(failure, NotPermitted | NotFound | Conflict)
        cut = replace(
            entry,
            outcome=Outcome.DENIED if denied else Outcome.UNAVAILABLE,
            reasons=(STREAM_CUT, failure.code),
            detail={**entry.detail, "released_bytes": released_bytes},
        )
        self.audit.append(cut)

    def _entry(
        self, study: Study, kind: str, release: bytes, agent: Agent, researcher: MemberId
    ) -> AuditEvent:
        return AuditEvent(
            type=kind,
            outcome=Outcome.CHANGED,
            occurred_at_ms=self.clock() * 1000,
            actor=agent,
            organisation=researcher,
            purpose=study.proposal.purpose,
            detail={"study": bytes(study.study_id), "release": release},
        )
