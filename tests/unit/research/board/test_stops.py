"""A study is stopped from receipt, and a result is kept back whatever was quicker."""

from __future__ import annotations

import pytest

from backend.research.board.stops import CLOSED, GLANCE_SECONDS, StoppablePermits, StudyStops
from backend.research.errors import StudyNotPermitted
from backend.research.types import Permit, StudyId
from backend.types import BlockNumber, UnixSeconds
from tests.support.memory_stops import MemoryStopStore

STUDY, OTHER = StudyId(b"1" * 32), StudyId(b"2" * 32)


class Chain:
    """A chain on which everything is permitted."""

    def permit(self, study: StudyId) -> Permit | None:
        return Permit(bytes(study), UnixSeconds(0), UnixSeconds(2**40), True, BlockNumber(1))


@pytest.fixture
def stops() -> StudyStops:
    return StudyStops(MemoryStopStore())


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
    guard = stops.guard(STUDY)
    guard()
    stops.accept(OTHER, "a")
    guard()
    stops.accept(STUDY, "b")
    stops.settle(STUDY, "b")
    for look in (guard, guard.glance):
        with pytest.raises(StudyNotPermitted):
            look()
    stops.guard(STUDY)()


def test_guard_of_a_run_that_began_under_a_stop_fails(stops: StudyStops) -> None:
    stops.accept(STUDY, "a")
    with pytest.raises(StudyNotPermitted):
        stops.guard(STUDY)()


def test_the_same_stop_again_is_one(stops: StudyStops) -> None:
    stops.accept(STUDY, "a")
    stops.accept(STUDY, "a")
    assert stops.now(STUDY).accepted == 1
    stops.settle(STUDY, "a")
    assert live(stops, STUDY)


def test_stop_of_another_process_is_seen_at_once_before_a_release_and_within_a_second_by_a_glance() -> None:
    store, now = MemoryStopStore(), [100.0]
    here, there = (StudyStops(store, monotonic=lambda: now[0]) for _ in range(2))
    guard = here.guard(STUDY)
    there.accept(STUDY, "a")
    guard.glance()  # what it knew of a moment ago
    with pytest.raises(StudyNotPermitted):
        guard()
    reads = store.reads
    for _ in range(50):
        with pytest.raises(StudyNotPermitted):
            guard.glance()
    assert store.reads == reads
    there.settle(STUDY, "a")
    calm = here.guard(STUDY)
    there.accept(STUDY, "b")
    now[0] += GLANCE_SECONDS
    with pytest.raises(StudyNotPermitted):
        calm.glance()
    assert not live(here, STUDY)


def test_own_stop_is_seen_by_the_next_glance(stops: StudyStops) -> None:
    guard = stops.guard(STUDY)
    guard.glance()
    stops.accept(STUDY, "a")
    with pytest.raises(StudyNotPermitted):
        guard.glance()


def test_stops_that_were_taken_out_of_the_index_stop_a_run_all_the_same() -> None:
    store = MemoryStopStore()
    stops = StudyStops(store)
    stops.accept(STUDY, "a")
    stops.settle(STUDY, "a")
    guard = stops.guard(STUDY)
    store.known.clear()
    with pytest.raises(StudyNotPermitted):
        guard()


def test_acts_that_came_to_their_end_unseen_are_settled_at_a_start_and_a_closing_is_not(
    stops: StudyStops,
) -> None:
    for act in ("over", "under way", CLOSED):
        stops.accept(STUDY, act)
    stops.settle_over(lambda act: act == "over")
    assert stops.now(STUDY).acts == {"under way", CLOSED}


def test_unknown_study_has_no_permit_with_or_without_a_stop(stops: StudyStops) -> None:
    class Empty:
        def permit(self, study: StudyId) -> Permit | None:
            return None

    stops.accept(STUDY, "a")
    assert StoppablePermits(Empty(), stops).permit(STUDY) is None
