"""A process ends before or after any write, and the client tries again: one decision, each entry once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from backend.audit import codes
from backend.errors import AssentError
from backend.research.board.types import MotionKind
from backend.research.study import State, Study
from tests.unit.research.board.world import Died, World

Put = Callable[..., Study]
Scene = Callable[[World, Study], None]


def permit(world: World, study: Study) -> None:
    for number in (0, 1):
        again(world, lambda number=number: world.sign(study, MotionKind.PERMIT, number))


def refuse(world: World, study: Study) -> None:
    for number in (0, 1):
        again(world, lambda number=number: world.sign(study, MotionKind.REFUSE, number, reason="no"))


def revoke(world: World, study: Study) -> None:
    permit(world, study)
    for number in (0, 1):
        again(world, lambda number=number: world.sign(study, MotionKind.REVOKE, number, reason="no"))


def suspend_and_resume(world: World, study: Study) -> None:
    permit(world, study)
    again(world, lambda: world.suspend(study, 2))
    assert not world.is_live(study)
    again(world, world.restart)  # which takes it to the chain
    for number in (0, 1):
        again(world, lambda number=number: world.sign(study, MotionKind.RESUME, number))


def again(world: World, act: Callable[[], object]) -> None:
    """Do it; where the process ended, start another one and do it once more."""
    try:
        act()
    except Died:
        world.faults.at = -1
        world.restart()
        with suppress(AssentError):  # what came about before it was acknowledged is unfit now
            act()


def observed(world: World, study: Study) -> object:
    case = world.book.get(study.study_id)
    found = world.studies.get(study.study_id)
    return (
        found.state,
        found.reason,
        [(decision.kind, len(decision.signed)) for decision in case.decisions],
        case.motions,
        world.is_live(study),
        world.stops.holds(study.study_id),
        [kind for kind in world.log.types() if kind != codes.STUDY_SIGNED],
    )


@pytest.mark.parametrize(
    ("scene", "state"),
    [
        (permit, State.APPROVED),
        (refuse, State.REFUSED),
        (revoke, State.CLOSED),
        (suspend_and_resume, State.APPROVED),
    ],
)
def test_whenever_the_process_ends_the_outcome_is_the_same(
    make_world: Callable[..., World], put: Put, scene: Scene, state: State
) -> None:
    calm = make_world()
    study = put(calm)
    calm.faults.seen = 0
    scene(calm, study)
    writes = calm.faults.seen
    wanted = observed(calm, study)
    assert calm.studies.get(study.study_id).state is state
    assert writes > 15
    for at in range(writes):
        world = make_world()
        put(world)
        world.faults.seen, world.faults.at = 0, at
        scene(world, study)
        world.faults.at = -1
        world.restart()
        assert observed(world, study) == wanted, f"the process ended at write {at}"
        signed = [
            (event.detail["decision"], event.detail["number"], event.detail["account"])
            for event in world.log.events
            if event.type == codes.STUDY_SIGNED
        ]
        assert len(signed) == len(set(signed)), f"a signature stands twice in the log after write {at}"
