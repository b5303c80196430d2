"""A study is stopped from receipt, and a result is kept back whatever was quicker."""

from __future__ import annotations

import pytest

from backend.research.board.stops import StoppablePermits, StudyStops
from backend.research.errors import StudyNotPermitted
from backend.research.types import Permit, StudyId
from backend.types import BlockNumber, UnixSeconds

STUDY, OTHER = StudyId(b"1" * 32), StudyId(b"2" * 32)


class Chain:
    """A chain on which everything is permitted."""

    def permit(self, study: StudyId) -> Permit | None:
        return Permit(bytes(study), UnixSeconds(0), UnixSeconds(2**40), True, BlockNumber(1))


@pytest.fixture
def stops() -> StudyStops:
    return StudyStops()


def live(stops: StudyStops, study: StudyId) -> bool:
    permit = StoppablePermits(Chain(), stops).permit(study)
    assert permit is not None
    return permit.is_live


def test_stop_takes_the_permit_away_of_this_study_alone(stops: StudyStops) -> None:
    stops.accept(STUDY, "a")
    assert (live(stops, STUDY), live(stops, OTHER)) == (False, True)


def test_of_two_stops_one_that_is_settled_leaves_the_other(stops: StudyStops) -> None:
    stops.accept(STUDY, "a")
    stops.accept(STUDY, "b")
    stops.settle(STUDY, "a")
    assert not live(stops, STUDY)
    stops.settle(STUDY, "b")
    assert live(stops, STUDY)
    stops.settle(STUDY, "never heard of")


def test_guard_fails_after_a_stop_also_when_it_was_settled_since(stops: StudyStops) -> None:
    position = stops.position
    stops.guard(STUDY, position)
    stops.accept(OTHER, "a")
    stops.guard(STUDY, position)
    stops.accept(STUDY, "b")
    stops.settle(STUDY, "b")
    with pytest.raises(StudyNotPermitted):
        stops.guard(STUDY, position)
    stops.guard(STUDY, stops.position)


def test_guard_of_a_run_that_began_under_a_stop_fails(stops: StudyStops) -> None:
    stops.accept(STUDY, "a")
    with pytest.raises(StudyNotPermitted):
        stops.guard(STUDY, stops.position)


def test_the_same_stop_again_is_one(stops: StudyStops) -> None:
    stops.accept(STUDY, "a")
    position = stops.position
    stops.accept(STUDY, "a")
    assert stops.position == position
    stops.settle(STUDY, "a")
    assert live(stops, STUDY)


def test_unknown_study_has_no_permit_with_or_without_a_stop(stops: StudyStops) -> None:
    class Empty:
        def permit(self, study: StudyId) -> Permit | None:
            return None

    stops.accept(STUDY, "a")
    assert StoppablePermits(Empty(), stops).permit(STUDY) is None
