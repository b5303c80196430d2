"""A study is approved by the board's permit on the chain and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from backend.research.errors import AmendsNothing, StudyNotFound, StudyNotPermitted, StudyStateConflict
from backend.research.pseudonyms import pseudonym, row_order
from backend.research.service import StudyService
from backend.research.study import Event, Proposal, State, Study
from backend.research.types import StudyId
from backend.types import MemberId, SubjectId, UnixSeconds


@dataclass
class MemoryStudies:
    known: dict[StudyId, Study] = field(default_factory=dict)

    def insert(self, study: Study, *, at: UnixSeconds) -> bool:
        return self.known.setdefault(study.study_id, study) is study

    def get(self, study_id: StudyId) -> Study | None:
        return self.known.get(study_id)

    def replace(self, study: Study, *, at: UnixSeconds) -> bool:
        if self.known[study.study_id].version != study.version - 1:
            return False
        self.known[study.study_id] = study
        return True

    def page(
        self, *, state: State | None, researcher: MemberId | None, after: StudyId | None, limit: int
    ) -> list[Study]:
        return list(self.known.values())[:limit]


@pytest.fixture
def service(world: Any) -> StudyService:
    return StudyService(
        studies=MemoryStudies(),
        permits=world.permits,
        uses=world.uses,
        policy=world.policy,
        clock=lambda: world.now[0],
    )


def test_propose_twice_is_one_study(service: StudyService, proposal_with: Callable[..., Proposal]) -> None:
    study, made = service.propose(proposal_with())
    service.change(study.study_id, Event.REFUSE, reason="no")
    again, _ = service.propose(proposal_with())
    assert again.state is State.REFUSED
    assert again.reason == "no"
    assert made.rho > 0


def test_approve_needs_a_live_permit_for_exactly_this_proposal(
    service: StudyService, world: Any, proposal_with: Callable[..., Proposal]
) -> None:
    study, _ = service.propose(proposal_with())
    with pytest.raises(StudyNotPermitted):
        service.change(study.study_id, Event.APPROVE, reason="")
    world.approved(proposal_with())
    permit = world.permits.known[study.study_id]
    for wrong in (replace(permit, rules=b"x" * 32), replace(permit, is_live=False)):
        world.permits.known[study.study_id] = wrong
        with pytest.raises(StudyNotPermitted):
            service.approve(study.study_id)
    world.permits.known[study.study_id] = permit
    world.now[0] = permit.not_before - 50  # signed, but not begun
    assert service.approve(study.study_id).state is State.APPROVED
    with pytest.raises(StudyStateConflict):
        service.approve(study.study_id)


def test_amendment_is_of_ones_own_study_that_was_permitted_and_is_not_over(
    service: StudyService, world: Any, proposal_with: Callable[..., Proposal]
) -> None:
    first, _ = service.propose(proposal_with())
    amendment = proposal_with(amends=first.study_id, runs=3)
    with pytest.raises(AmendsNothing):  # not permitted yet
        service.propose(amendment)
    world.approved(proposal_with())
    service.approve(first.study_id)
    for wrong in (
        replace(amendment, amends=StudyId(b"?" * 32)),
        replace(amendment, researcher=MemberId(b"o" * 32)),
    ):
        with pytest.raises(AmendsNothing):
            service.propose(wrong)
    world.now[0] = first.proposal.not_after
    with pytest.raises(AmendsNothing):
        service.propose(amendment)
    world.now[0] -= 1
    second, _ = service.propose(amendment)
    assert service.versions_before(second) == [service.get(first.study_id)]
    service.change(first.study_id, Event.CLOSE, reason="done")
    with pytest.raises(AmendsNothing):
        service.propose(replace(amendment, runs=4))
    assert service.propose(amendment)[0] == second  # a retry gets what it got


def test_follow_is_harmless_again_and_tries_anew_after_a_race(
    world: Any, proposal_with: Callable[..., Proposal]
) -> None:
    class Raced(MemoryStudies):
        """Somebody else changes the study just before the first change."""

        lost = 0

        def replace(self, study: Study, *, at: UnixSeconds) -> bool:
            if not self.lost:
                self.lost += 1
                self.known[study.study_id] = replace(self.known[study.study_id], version=study.version)
            return super().replace(study, at=at)

    studies = Raced()
    service = StudyService(
        studies=studies, permits=world.permits, uses=world.uses, policy=world.policy, clock=lambda: 1
    )
    study, _ = service.propose(proposal_with())
    for _ in range(2):
        closed = service.follow(study.study_id, Event.CLOSE, reason="done")
        assert (closed.state, closed.reason, closed.version) == (State.CLOSED, "done", 3)
    assert service.follow(study.study_id, Event.SUSPEND, reason="x").state is State.CLOSED


def test_get_unknown_study_is_not_found(service: StudyService) -> None:
    with pytest.raises(StudyNotFound):
        service.get(StudyId(b"0" * 32))


def test_uses_name_the_studies_of_one_patient(
    service: StudyService,
    world: Any,
    proposal_with: Callable[..., Proposal],
    candidate_with: Callable[..., Any],
) -> None:
    service.propose(proposal_with())
    study = world.approved(proposal_with())
    world.runner.run(study, [candidate_with(number) for number in range(1, 20)])
    used = service.uses_of(SubjectId(3))
    assert [(found.study_id, at) for found, at in used] == [(study.study_id, world.now[0])]
    assert service.uses_of(SubjectId(99)) == []


def test_pseudonyms_of_two_studies_or_keys_have_nothing_in_common() -> None:
    subjects = [SubjectId(number) for number in range(1, 50)]
    sets = [
        {pseudonym(key, study, subject) for subject in subjects}
        for key in (b"a" * 32, b"b" * 32)
        for study in (StudyId(b"1" * 32), StudyId(b"2" * 32))
    ]
    assert all(len(found) == 49 for found in sets)
    assert len(set.union(*sets)) == 4 * 49
    orders = [
        sorted(subjects, key=lambda subject: row_order(b"a" * 32, StudyId(b"1" * 32), subject, table))
        for table in (b"t" * 32, b"u" * 32)
    ]
    assert orders[0] != orders[1] != subjects
