"""What the watch of a network says, and how branches are brought together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from scripts.testnet.mend import Unmendable, mend
from scripts.testnet.watch import Health, Watch, findings


def test_healthy_network_has_no_finding() -> None:
    healths = {"a": Health(100, "x", 1, 5), "b": Health(97, "y", 3, 5)}
    assert findings(healths, period_seconds=1) == []


def test_each_trouble_has_its_word() -> None:
    healths = {
        "good": Health(100, "x", 1, 5),
        "gone": Health(None),
        "old": Health(99, "y", 16, 5),
        "late": Health(80, "z", 2, 5),
    }
    assert {each.node: each.what for each in findings(healths, period_seconds=1)} == {
        "gone": "silent", "old": "stalled", "late": "behind",
    }  # fmt: skip
    assert not [each for each in findings(healths, period_seconds=5) if each.what == "stalled"]


def test_standstill_on_two_branches_names_the_way_out() -> None:
    apart = {"a": Health(9, "x", 60, 5), "b": Health(9, "y", 60, 5)}
    together = {"a": Health(9, "x", 60, 5), "b": Health(9, "x", 60, 5)}
    assert all("mend" in each.detail for each in findings(apart, period_seconds=1))
    assert not any("mend" in each.detail for each in findings(together, period_seconds=1))


class Chain:
    """A node that knows one branch, of blocks named by a letter each; ``weight`` a block."""

    def __init__(self, branch: str, weights: Sequence[int] = ()) -> None:
        self.branch = branch
        self.weights = list(weights) or [2] * len(branch)
        self.taken_back_to: int | None = None

    def call(self, method: str, *parameters: Any) -> Any:
        if method == "debug_setHead":
            self.taken_back_to = int(parameters[0], 16)
            return None
        if method == "net_peerCount":
            return "0x1"
        number = len(self.branch) - 1 if parameters[0] == "latest" else int(parameters[0], 16)
        if not 0 <= number < len(self.branch):
            return None
        weight = sum(self.weights[: number + 1])
        return {
            "number": hex(number),
            "hash": self.branch[: number + 1],
            "totalDifficulty": hex(weight),
            "timestamp": "0x0",
        }


def test_watch_tells_what_began_and_what_ended_once_each() -> None:
    chain = Chain("abc")
    watch = Watch({"one": chain}, period_seconds=1)  # type: ignore[dict-item]
    (began,) = watch.look()
    assert began.startswith("STALLED: one: ")
    assert watch.look() == []
    chain.call = lambda *_: None  # type: ignore[method-assign]
    assert [line.split(":")[0] for line in watch.look()] == ["SILENT", "over"]


def taken(chains: dict[str, Chain], *, finality_blocks: int = 3) -> dict[str, int | None]:
    named = mend(chains, finality_blocks=finality_blocks)  # type: ignore[arg-type]
    assert named == [name for name, chain in chains.items() if chain.taken_back_to is not None]
    return {name: chain.taken_back_to for name, chain in chains.items()}


def test_lighter_branch_is_taken_back_to_what_all_share() -> None:
    chains = {"a": Chain("ggxy"), "b": Chain("ggxy"), "c": Chain("ggz"), "d": Chain("gg")}
    assert taken(chains) == {"a": None, "b": None, "c": 1, "d": None}


def test_of_branches_of_equal_weight_everybody_keeps_the_same() -> None:
    weights = ([2, 2, 2], [2, 2, 1, 1])
    for order in (("a", "b"), ("b", "a")):
        chains = {"a": Chain("ggx", weights[0]), "b": Chain("ggyz", weights[1])}
        assert taken({name: chains[name] for name in order}) == {"a": None, "b": 1}


def test_validators_on_one_branch_are_left_alone() -> None:
    assert taken({"a": Chain("gghij"), "b": Chain("ggh")}) == {"a": None, "b": None}


def test_branches_that_part_below_a_final_block_are_for_people() -> None:
    with pytest.raises(Unmendable):
        taken({"a": Chain("gguvw", [9] * 5), "b": Chain("ggxyz")})
