"""Studies from proposal to closing. Running them is ``run.StudyRunner``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from backend.research.errors import (
    AmendsNothing,
    StudyInvalid,
    StudyNotFound,
    StudyNotPermitted,
    StudyStateConflict,
)
from backend.research.permits import require_permitted
from backend.research.plan import Plan, plan
from backend.research.policy import BudgetPolicy
from backend.research.ports import PermitReader, StudyStore, UseStore
from backend.research.study import Event, Proposal, State, Study, propose
from backend.research.study_terms import Condition
from backend.research.types import StudyId
from backend.types import MemberId, SubjectId, UnixSeconds

PAGE = 100


class StudyService:
    """Keeps studies. Who may call what is decided before; here only the study's own rules count."""

    def __init__(
        self,
        *,
        studies: StudyStore,
        permits: PermitReader,
        uses: UseStore,
        policy: BudgetPolicy,
        clock: Callable[[], int],
    ) -> None:
        self._studies = studies
        self._permits = permits
        self._uses = uses
        self._policy = policy
        self._clock = clock

    def propose(self, proposal: Proposal) -> tuple[Study, Plan]:
        """Check and store a proposal; the plan tells what each answer will cost and how wrong it may be.

        The same proposal again returns the stored study. Raises StudyInvalid naming the field, AmendsNothing.
        """
        study = propose(proposal)
        if proposal.amends is not None:
            self._require_amendable(proposal, proposal.amends)
        made = plan(proposal, delta_exponent=self._policy.delta_exponent)
        if made.study_limit > self._policy.study_rho:
            raise StudyInvalid("more than this custodian lets one study spend", field="epsilon")
        if not self._studies.insert(study, at=self._now()):
            study = self.get(study.study_id)
        return study, made

    def get(self, study_id: StudyId) -> Study:
        """Raises StudyNotFound."""
        study = self._studies.get(study_id)
        if study is None:
            raise StudyNotFound
        return study

    def page(
        self,
        *,
        state: State | None = None,
        researcher: MemberId | None = None,
        after: StudyId | None = None,
        limit: int = PAGE,
    ) -> list[Study]:
        """Studies in order of id, at most ``limit`` (100 at most)."""
        size = max(1, min(limit, PAGE))
        return self._studies.page(state=state, researcher=researcher, after=after, limit=size)

    def approve(self, study_id: StudyId, *, conditions: tuple[Condition, ...] = ()) -> Study:
        """Follow the board's permit, once it is final on the chain; raises StudyNotPermitted before that."""
        study = self.get(study_id)
        approved = replace(study.after(Event.APPROVE), conditions=conditions)
        permit = self._permits.permit(study_id)
        if permit is None:
            raise StudyNotPermitted
        # A permit may begin later: what counts here is that the board signed exactly this proposal.
        require_permitted(approved, permit, max(self._now(), permit.not_before, study.proposal.not_before))
        return self._store(approved)

    def change(self, study_id: StudyId, event: Event, *, reason: str) -> Study:
        """Refuse, suspend, resume or close. The index can only restrict; approval needs ``approve``.

        Raises StudyNotFound, StudyStateConflict.
        """
        if event is Event.APPROVE:
            return self.approve(study_id)
        return self._store(self.get(study_id).after(event, reason=reason[:2_000]))

    def follow(self, study_id: StudyId, event: Event, *, reason: str) -> Study:
        """The same for an act that is driven again: an event that the state does not allow changes nothing.

        Raises StudyNotFound. Where somebody else was quicker, it is tried again.
        """
        while True:
            study = self.get(study_id)
            try:
                return self._store(study.after(event, reason=reason[:2_000]))
            except StudyStateConflict:
                found = self.get(study_id)
                if found.version == study.version:
                    return found  # not a race: the event does not fit

    def versions_before(self, study: Study) -> list[Study]:
        """The versions that a study amends, one after the other, the newest first."""
        found: list[Study] = []
        while study.proposal.amends is not None:
            study = self.get(study.proposal.amends)
            found.append(study)
        return found

    def uses_of(self, subject: SubjectId) -> list[tuple[Study, UnixSeconds]]:
        """Which studies used a patient's data and when, newest first: for the patient's own view."""
        return [(self.get(study), at) for study, at in self._uses.of_subject(subject)]

    def _require_amendable(self, proposal: Proposal, amends: StudyId) -> None:
        """One's own, that was permitted and is not over: closed, or past the end of its period."""
        if self._studies.get(StudyId(proposal.digest)) is not None:
            return  # a retry gets what the first try got
        before = self._studies.get(amends)
        if (
            before is None
            or before.proposal.researcher != proposal.researcher
            or not before.state.may_go_on
            or self._now() >= before.proposal.not_after
        ):
            raise AmendsNothing(field="amends")

    def _store(self, study: Study) -> Study:
        if not self._studies.replace(study, at=self._now()):
            raise StudyStateConflict
        return study

    def _now(self) -> UnixSeconds:
        return UnixSeconds(self._clock())
