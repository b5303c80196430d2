"""Decisions take M of N signatures of members who may vote, over exactly what is decided."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.audit import codes
from backend.audit.entry import Outcome
from backend.consent.authority import WrongSigner
from backend.consent.errors import SignatureInvalid
from backend.outbox.driver import Driver
from backend.research.board.errors import (
    MotionChanged,
    MotionUnfit,
    NoSeat,
    NotPrepared,
    ProposalIncomplete,
    QuestionsOpen,
    ReasonMissing,
    Recused,
)
from backend.research.board.types import MotionKind, Person
from backend.research.errors import AmendsNothing
from backend.research.study import State, Study, rules_of
from backend.research.study_terms import Condition, ProtocolDocument
from backend.research.types import StudyId
from backend.types import Address, Bytes32, UnixSeconds
from tests.unit.research.board.world import DAY, ContractRefused, World

Put = Callable[..., Study]
PERMIT, REFUSE, RESUME, REVOKE = MotionKind


def permitted(world: World, study: Study) -> Study:
    world.sign(study, PERMIT, 0)
    world.sign(study, PERMIT, 1)
    return world.studies.get(study.study_id)


def test_last_signature_takes_it_to_the_chain_and_the_study_follows(board: World, put: Put) -> None:
    study = put(board)
    first = board.sign(study, PERMIT, 0)
    assert [signed.name for signed in first.motion(PERMIT).signatures] == ["Member 1"]
    assert board.studies.get(study.study_id).state is State.PROPOSED
    assert not board.chain.states
    case = board.sign(study, PERMIT, 2)
    assert board.studies.get(study.study_id).state is State.APPROVED
    assert board.is_live(study)
    (decision,) = case.decisions
    assert [signed.name for signed in decision.signed] == ["Member 1", "Member 3"]
    assert (decision.block, decision.custodian, decision.researcher) == (11, "Hospital", "Institute")
    assert board.log.types()[-3:] == [codes.STUDY_SIGNED, codes.STUDY_SIGNED, codes.STUDY_APPROVED]
    assert case.motions == ()


def test_same_member_twice_is_one_vote(board: World, put: Put) -> None:
    study = put(board)
    for _ in range(3):
        case = board.sign(study, PERMIT, 0)
    assert len(case.motion(PERMIT).signatures) == 1
    assert board.log.types().count(codes.STUDY_SIGNED) == 1


def test_board_of_one_needs_no_secretary(make_world: Callable[..., World], put: Put) -> None:
    world = make_world(threshold=1)
    study = put(world, prepared=False)
    world.sign(study, PERMIT, 0)
    assert world.studies.get(study.study_id).state is State.APPROVED


def test_permit_waits_for_preparation_papers_and_answers_a_refusal_does_not(board: World, put: Put) -> None:
    paper = b"a protocol"
    named = ProtocolDocument("Protocol", "text/plain", Bytes32(hashlib.sha256(paper).digest()))
    study = put(board, prepared=False, documents=(named,))
    with pytest.raises(ProposalIncomplete):
        board.sign(study, PERMIT, 0)
    board.documents.bring(study, paper, by=board.secretary.agent)
    with pytest.raises(NotPrepared):
        board.sign(study, PERMIT, 0)
    board.prepare(study)
    board.preparation.ask(study, "Why?", by=board.secretary)
    with pytest.raises(QuestionsOpen):
        board.sign(study, PERMIT, 0)
    board.sign(study, REFUSE, 0, reason="no answer")
    board.preparation.answer(study, 0, "Because.", by=board.person(1))
    board.sign(study, PERMIT, 1)


def test_only_members_in_standing_sign_and_only_their_own(board: World, put: Put) -> None:
    study = put(board)
    command = board.decisions.ballot(study, PERMIT).command
    theirs = board.signature(0, command)
    with pytest.raises(WrongSigner):
        board.decisions.sign(study, PERMIT, theirs, by=board.person(1))
    with pytest.raises(SignatureInvalid):
        board.decisions.sign(study, PERMIT, b"", by=board.person(1))
    for stranger in (board.secretary, Person(board.secretary.agent, Address("0x" + "99" * 20))):
        with pytest.raises(NoSeat):
            board.decisions.sign(study, PERMIT, theirs, by=stranger)
    board.roll.everybody = board.seats[1:]
    with pytest.raises(NoSeat):
        board.sign(study, PERMIT, 0)
    assert board.log.types().count(codes.STUDY_SIGNED) == 0


def test_member_who_left_after_signing_does_not_count(board: World, put: Put) -> None:
    study = put(board)
    board.sign(study, PERMIT, 0)
    board.roll.everybody = board.seats[1:]
    board.chain.members.discard(board.seats[0].account.lower())
    board.sign(study, PERMIT, 1)
    assert board.studies.get(study.study_id).state is State.PROPOSED
    board.sign(study, PERMIT, 2)
    assert board.studies.get(study.study_id).state is State.APPROVED


def test_recused_member_signs_nothing_and_its_signature_is_taken_out(board: World, put: Put) -> None:
    study = put(board)
    board.sign(study, PERMIT, 0)
    case = board.preparation.recuse(study, "a relative", by=board.person(0))
    assert case.motion(PERMIT).signatures == ()
    assert case.preparation.reviewers == ()
    for kind in (PERMIT, REFUSE):
        with pytest.raises(Recused):
            board.sign(study, kind, 0, reason="x")
    board.sign(study, PERMIT, 1)
    assert board.studies.get(study.study_id).state is State.PROPOSED
    board.sign(study, PERMIT, 2)
    assert board.book.get(study.study_id).decisions[0].recused[0].reason == "a relative"
    with pytest.raises(Recused):
        board.suspend(study, 0)


def test_conditions_are_in_what_is_signed_and_void_what_was_signed_without_them(
    board: World, put: Put
) -> None:
    study = put(board)
    before = board.decisions.ballot(study, PERMIT)
    board.sign(study, PERMIT, 0)
    conditions = (Condition("Report.", UnixSeconds(board.now + DAY)),)
    case = board.preparation.set_conditions(study, conditions, by=board.secretary)
    assert case.motion(PERMIT) is None
    old = board.signature(1, before.command)
    with pytest.raises(WrongSigner):
        board.decisions.sign(study, PERMIT, old, by=board.person(1))
    followed = permitted(board, study)
    assert followed.conditions == conditions
    assert board.chain.states[study.study_id].rules == rules_of(study.proposal, conditions)
    assert followed.rules == board.chain.states[study.study_id].rules
    with pytest.raises(MotionUnfit):
        board.preparation.set_conditions(followed, (), by=board.secretary)


def test_first_to_sign_may_have_an_older_draft_and_all_others_sign_the_same(board: World, put: Put) -> None:
    study = put(board)
    ballot = board.decisions.ballot(study, PERMIT)
    board.now += 11 * DAY
    later = board.decisions.ballot(study, PERMIT)
    assert later.motion.submit_by > ballot.motion.submit_by
    board.decisions.sign(
        study,
        PERMIT,
        board.signature(0, ballot.command),
        submit_by=ballot.motion.submit_by,
        by=board.person(0),
    )
    assert board.decisions.ballot(study, PERMIT).command == ballot.command
    with pytest.raises(MotionChanged):
        board.decisions.sign(
            study,
            PERMIT,
            board.signature(1, later.command),
            submit_by=later.motion.submit_by,
            by=board.person(1),
        )
    board.sign(study, PERMIT, 1)
    assert board.studies.get(study.study_id).state is State.APPROVED


def test_motion_past_its_date_is_put_anew(board: World, put: Put) -> None:
    study = put(board, not_after=UnixSeconds(board.now + 90 * DAY))
    first = board.sign(study, PERMIT, 0).motion(PERMIT)
    board.now = first.submit_by
    second = board.decisions.ballot(study, PERMIT).motion
    assert (second.number, second.signatures) == (first.number + 1, ())
    with pytest.raises(MotionChanged):
        board.decisions.sign(
            study, PERMIT, first.signatures[0].signature, submit_by=first.submit_by, by=board.person(0)
        )


def test_refusal_keeps_the_first_reason_and_is_final(board: World, put: Put) -> None:
    study = put(board)
    with pytest.raises(ReasonMissing):
        board.sign(study, REFUSE, 0)
    board.sign(study, REFUSE, 0, reason=" too small ")
    with pytest.raises(MotionChanged):
        board.sign(study, REFUSE, 1, reason="too large")
    case = board.sign(study, REFUSE, 1, reason="too small")
    assert case.decisions[0].reason == "too small"
    refused = board.studies.get(study.study_id)
    assert (refused.state, refused.reason) == (State.REFUSED, "too small")
    assert board.log.types()[-1] == codes.STUDY_REFUSED
    with pytest.raises(MotionUnfit):
        board.sign(study, PERMIT, 2)


def test_signature_of_a_decision_that_came_about_again_is_harmless(board: World, put: Put) -> None:
    study = put(board)
    ballot = board.decisions.ballot(study, PERMIT)
    permitted(board, study)
    entries = len(board.log.events)
    approved = board.studies.get(study.study_id)
    again = board.decisions.sign(
        approved,
        PERMIT,
        board.signature(0, ballot.command),
        submit_by=ballot.motion.submit_by,
        by=board.person(0),
    )
    assert len(again.decisions) == 1
    assert len(board.log.events) == entries
    with pytest.raises(MotionUnfit):
        board.decisions.sign(approved, PERMIT, board.signature(2, ballot.command), by=board.person(2))


def test_contract_that_refuses_puts_the_motion_anew(board: World, put: Put) -> None:
    study = put(board)
    board.sign(study, PERMIT, 0)
    board.chain.members.clear()  # they left, and this service does not know yet
    with pytest.raises(ContractRefused):
        board.sign(study, PERMIT, 1)
    motion = board.book.get(study.study_id).motion(PERMIT)
    assert (motion.number, motion.signatures, motion.on_its_way) == (1, (), False)
    assert board.log.events[-1].outcome is Outcome.DENIED
    assert board.log.events[-1].reasons == ("contract_refused",)
    board.chain.members = {seat.account.lower() for seat in board.seats}
    assert permitted(board, study).state is State.APPROVED


def test_what_is_on_its_way_stands_and_follows_when_the_chain_is_back(board: World, put: Put) -> None:
    study = put(board)
    board.chain.away = True
    board.sign(study, PERMIT, 0)
    board.sign(study, PERMIT, 1)
    case = board.sign(study, PERMIT, 2)
    assert case.motion(PERMIT).on_its_way
    assert [signed.name for signed in case.motion(PERMIT).signatures] == ["Member 1", "Member 2"]
    with pytest.raises(MotionUnfit):
        board.preparation.set_conditions(study, (Condition("late"),), by=board.secretary)
    case = board.preparation.recuse(study, "a relative", by=board.person(0))
    assert len(case.motion(PERMIT).signatures) == 2
    board.chain.away = False
    board.restart()
    assert board.studies.get(study.study_id).state is State.APPROVED


def test_permit_that_is_not_final_is_followed_when_it_is(board: World, put: Put) -> None:
    study = put(board)
    board.chain.not_final = True
    permitted(board, study)
    assert board.studies.get(study.study_id).state is State.PROPOSED
    board.restart()
    assert board.studies.get(study.study_id).state is State.PROPOSED
    board.chain.not_final = False
    board.restart()
    assert board.studies.get(study.study_id).state is State.APPROVED


def test_permit_revoked_elsewhere_before_it_was_followed_closes_the_study(board: World, put: Put) -> None:
    study = put(board)
    board.chain.not_final = True
    permitted(board, study)
    board.chain.states[study.study_id] = replace(
        board.chain.states[study.study_id], revoked_at=UnixSeconds(9)
    )
    board.restart()
    assert board.studies.get(study.study_id).state is State.CLOSED


def test_proposal_whose_period_is_over_is_not_permitted_any_more(board: World, put: Put) -> None:
    study = put(board)
    board.sign(study, PERMIT, 0)
    board.now = study.proposal.not_after
    with pytest.raises(MotionUnfit):
        board.sign(study, PERMIT, 1)


def test_permit_that_ended_before_it_was_final_closes_the_study(board: World, put: Put) -> None:
    study = put(board)
    board.chain.not_final = True
    permitted(board, study)
    board.now = study.proposal.not_after
    board.restart()
    assert board.studies.get(study.study_id).state is State.CLOSED
    assert not board.outbox.unfinished("board_decision")


def test_revocation_takes_two_and_stops_from_the_last_signature(board: World, put: Put) -> None:
    study = permitted(board, put(board))
    board.sign(study, REVOKE, 0, reason="broken protocol")
    assert board.is_live(study)
    board.chain.away = True
    board.sign(study, REVOKE, 1)
    assert not board.is_live(study), "the chain knows nothing yet"
    board.restart()
    assert not board.is_live(study), "nor after a restart"
    board.chain.away = False
    board.restart()
    assert board.studies.get(study.study_id).state is State.CLOSED
    assert board.chain.states[study.study_id].revoked_at
    assert board.log.types()[-1] == codes.STUDY_REVOKED


def test_resumption_takes_two_and_waits_for_a_suspension_on_its_way(board: World, put: Put) -> None:
    study = permitted(board, put(board))
    with pytest.raises(MotionUnfit):
        board.sign(study, RESUME, 0)
    board.suspend(study, 2)
    with pytest.raises(MotionUnfit):
        board.sign(study, RESUME, 0)
    board.restart()
    board.sign(study, RESUME, 0)
    assert board.studies.get(study.study_id).state is State.SUSPENDED
    board.sign(study, RESUME, 1)
    assert board.studies.get(study.study_id).state is State.APPROVED
    assert board.is_live(study)


def test_study_suspended_on_the_chain_alone_can_be_resumed(board: World, put: Put) -> None:
    study = permitted(board, put(board))
    state = board.chain.states[study.study_id]
    board.chain.states[study.study_id] = replace(
        state, suspended=True, round=1
    )  # by way of another custodian
    board.sign(study, RESUME, 0)
    board.sign(study, RESUME, 1)
    assert board.is_live(study)


def test_permit_of_an_amendment_closes_the_version_before(board: World, put: Put) -> None:
    first = permitted(board, put(board))
    second = put(board, amends=StudyId(first.study_id), runs=3)
    assert board.studies.versions_before(second) == [first]
    assert board.is_live(first)
    permitted(board, second)
    closed = board.studies.get(first.study_id)
    assert (closed.state, closed.reason) == (State.CLOSED, f"replaced by 0x{second.study_id.hex()}")
    assert not board.is_live(first), "also for a run that began before"


def test_of_two_amendments_of_one_version_the_second_is_not_permitted(board: World, put: Put) -> None:
    first = permitted(board, put(board))
    second = put(board, amends=StudyId(first.study_id), runs=3)
    third = put(board, amends=StudyId(first.study_id), runs=4)
    permitted(board, second)
    with pytest.raises(AmendsNothing):
        board.sign(third, PERMIT, 0)
    board.sign(third, REFUSE, 0, reason="overtaken")


def test_refused_amendment_leaves_the_version_before(board: World, put: Put) -> None:
    first = permitted(board, put(board))
    second = put(board, amends=StudyId(first.study_id), runs=3)
    board.sign(second, REFUSE, 0, reason="no")
    board.sign(second, REFUSE, 1)
    assert board.studies.get(first.study_id).state is State.APPROVED
    assert board.is_live(first)


def test_driver_finishes_what_was_handed_over(board: World, put: Put) -> None:
    study = put(board)
    board.chain.away = True
    permitted(board, study)
    board.chain.away = False
    driver = Driver(board.outbox)
    board.now += 120  # the lease of who tried first is over
    driver.take_over()
    assert board.studies.get(study.study_id).state is State.APPROVED
