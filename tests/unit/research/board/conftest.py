from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.research.policy import BudgetPolicy
from backend.research.study import Proposal, Study, propose
from tests.unit.research.board.world import World

NOW = 1_790_000_000


@pytest.fixture
def make_world() -> Callable[..., World]:
    policy = BudgetPolicy("hospital", 5_000_000, 6, 366 * 86_400)
    return lambda **options: World(policy, NOW, **options)


@pytest.fixture
def board(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def put(proposal_with: Callable[..., Proposal]) -> Callable[..., Study]:
    """Put a proposal before the board of a world; prepared unless that is not wanted."""

    def put(world: World, *, prepared: bool = True, **changes: object) -> Study:
        study = propose(proposal_with(**changes))
        world.proposals.insert(study, at=0)
        if prepared:
            world.prepare(study)
        return replace(study)

    return put
