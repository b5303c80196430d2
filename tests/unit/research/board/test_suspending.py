"""One member suspends, from receipt, with or without the chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.audit import codes
from backend.consent.authority import WrongSigner
from backend.consent.member_terms import SuspendStudy
from backend.research.board.errors import MotionUnfit, NoSeat, ReasonMissing, SuspensionStale
from backend.research.board.types import SUSPEND, MotionKind
from backend.research.study import State, Study
from backend.types import Bytes32
from tests.unit.research.board.world import World

Put = Callable[..., Study]


@pytest.fixture
def study(board: World, put: Put) -> Study:
    proposed = put(board)
    board.sign(proposed, MotionKind.PERMIT, 0)
    board.sign(proposed, MotionKind.PERMIT, 1)
    return board.studies.get(proposed.study_id)


def test_suspension_counts_when_it_was_received_and_the_chain_follows(board: World, study: Study) -> None:
    guard = board.stops.guard(study.study_id)
    suspended = board.suspend(study, 2)
    assert (suspended.state, suspended.reason) == (State.SUSPENDED, "a complaint")
    assert not board.is_live(study)
    assert not board.chain.states[study.study_id].suspended
    with pytest.raises(Exception, match="permit must be live"):
        guard()
    assert board.log.types()[-1] == codes.STUDY_SUSPENDED
    board.restart()
    assert board.chain.states[study.study_id].suspended
    assert not board.stops.holds(study.study_id)
    assert not board.is_live(study)
    decision = board.book.get(study.study_id).decided(SUSPEND)
    assert decision is not None
    assert (decision.signed[0].name, decision.block) == ("Member 3", 12)


def test_suspension_is_settled_by_the_final_block_and_recorded_again_where_its_block_is_replaced(
    board: World, study: Study
) -> None:
    before = dict(board.chain.states)
    board.chain.final_states = before
    board.suspend(study, 2)
    board.restart()
    assert board.chain.states[study.study_id].suspended
    assert board.stops.holds(study.study_id), "its block may still be replaced"
    board.chain.states = dict(before)  # it is, by one without the suspension
    board.restart()
    assert board.chain.states[study.study_id].suspended
    assert board.stops.holds(study.study_id)
    board.chain.final_states = None
    board.restart()
    assert not board.stops.holds(study.study_id)
    assert board.chain.states[study.study_id].round == 1
    assert not board.is_live(study)


def test_suspension_is_taken_while_the_chain_cannot_be_read_and_survives_a_restart(
    board: World, study: Study
) -> None:
    board.chain.reading_away = board.chain.away = board.roll.away = True
    board.suspend(study, 2)
    assert board.stops.holds(study.study_id)
    board.restart()
    assert board.stops.holds(study.study_id)
    board.chain.reading_away = board.chain.away = board.roll.away = False
    board.restart()
    assert board.chain.states[study.study_id].suspended


def test_suspension_of_nobody_taken_while_the_chain_was_away_is_dropped_and_leaves_the_study_stopped_here(
    board: World, study: Study
) -> None:
    board.chain.reading_away = board.roll.away = True
    board.suspend(study, 2)
    board.roll.everybody = board.seats[:2]
    board.chain.members.discard(board.seats[2].account.lower())
    board.chain.reading_away = board.roll.away = False
    with pytest.raises(NoSeat):
        board.outbox.recover(takeover=True)
    assert not board.stops.holds(study.study_id)
    board.restart()
    assert not board.chain.states[study.study_id].suspended
    assert board.studies.get(study.study_id).state is State.SUSPENDED
    board.sign(study, MotionKind.RESUME, 0)
    board.sign(study, MotionKind.RESUME, 1)
    assert board.studies.get(study.study_id).state is State.APPROVED


def test_two_suspend_at_once_and_both_are_settled(board: World, study: Study) -> None:
    board.suspend(study, 1)
    board.suspend(study, 2)
    board.restart()
    assert board.chain.states[study.study_id].round == 1
    assert not board.stops.holds(study.study_id)
    assert board.log.types().count(codes.STUDY_SUSPENDED) == 2


def test_the_same_again_changes_nothing(board: World, study: Study) -> None:
    for _ in range(2):
        board.suspend(study, 2)
    board.restart()
    board.suspend(study, 2)
    assert board.log.types().count(codes.STUDY_SUSPENDED) == 1


def test_signature_of_a_round_that_is_past_stops_nothing(board: World, study: Study) -> None:
    board.suspend(study, 2)
    board.restart()
    board.sign(study, MotionKind.RESUME, 0)
    board.sign(study, MotionKind.RESUME, 1)
    with pytest.raises(SuspensionStale):
        board.suspend(study, 1, round_=0)
    assert board.is_live(study)


def test_who_may_suspend_what_and_why(board: World, study: Study, put: Put) -> None:
    signature = board.signature(1, SuspendStudy(Bytes32(study.study_id), 0))
    with pytest.raises(ReasonMissing):
        board.suspensions.suspend(study, 0, signature, reason=" ", by=board.person(1))
    with pytest.raises(WrongSigner):
        board.suspensions.suspend(study, 0, signature, reason="x", by=board.person(0))
    with pytest.raises(NoSeat):
        board.suspensions.suspend(study, 0, signature, reason="x", by=board.secretary)
    proposed = put(board, title="Another")
    with pytest.raises(MotionUnfit):
        board.suspend(proposed, 1)
    with pytest.raises(MotionUnfit):
        board.suspensions.draft(proposed)
    assert board.suspensions.draft(study) == SuspendStudy(Bytes32(study.study_id), 0)
    assert board.is_live(study)


def test_suspension_overtaken_by_a_revocation_is_settled(board: World, study: Study) -> None:
    board.suspend(study, 2)
    state = board.chain.states[study.study_id]
    board.chain.states[study.study_id] = replace(state, revoked_at=state.not_before)
    board.restart()
    assert not board.stops.holds(study.study_id)
    assert not board.is_live(study), "revoked is revoked"
