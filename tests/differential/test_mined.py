"""Blocks that are mined do what simulated ones do: some sequences are played as transactions."""

from __future__ import annotations

from itertools import groupby

import pytest

from tests.differential.acts import Desk
from tests.differential.chain import Chain
from tests.differential.families import FAMILIES
from tests.differential.playing import Expectation, on_model, view_calls, written_difference
from tests.differential.world import new_world

_SEED = 1


@pytest.mark.parametrize("name", FAMILIES)
def test_minedBlocks_doWhatTheModelSays(name: str, chain: Chain) -> None:
    family = FAMILIES[name]
    expected = list(on_model(new_world(chain), family.draw(chain, _SEED), family.views))
    with chain.undone():
        for time, block in groupby(expected, key=lambda each: each.act.time):
            _play_block(chain, time, list(block))


def _play_block(chain: Chain, time: int, block: list[Expectation]) -> None:
    """All acts of one second, and what can be asked at its end."""
    desk, views = Desk(chain), block[-1].views
    answers = chain.mine(time, [each.act.call(desk) for each in block], view_calls(chain, views))
    for each, answer in zip(block, answers, strict=False):
        assert answer.succeeded == (not each.errors), each
        assert not answer.succeeded or not written_difference(chain, each, answer)
    for view, answer in zip(views, answers[len(block) :], strict=True):
        assert view.is_answered(answer), view
