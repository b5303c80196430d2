"""Watching shows each event once, and says when the node was away or the chain was reorganised."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from backend.adapters.ledger.chain import Block
from backend.adapters.ledger.errors import ChainReorganised, WrongChain
from backend.consent.ledger_types import TimedEvent
from backend.errors import InvalidInput, LedgerUnavailable
from backend.explorer.watch import Filter, Notice, Watch
from backend.types import BlockNumber, Bytes32, UnixSeconds
from tests.support.ledger_events import account, event, sample

Script = list[Any]


class FakeNode:
    """A chain in memory: for each block the fork that made it, and one event in it."""

    def __init__(self, blocks: int) -> None:
        self.forks = ["first"] * (blocks + 1)
        self.is_away = False
        self.is_another = False
        self.renewed = 0
        self.scan = self

    def grow(self, blocks: int, fork: str = "first") -> None:
        self.forks += [fork] * blocks

    def reorganise(self, first: int, fork: str) -> None:
        self.forks[first:] = [fork] * (len(self.forks) - first)

    def block(self, number: BlockNumber | None = None) -> Block:
        if self.is_away:
            raise LedgerUnavailable("The node did not answer.")
        number = BlockNumber(len(self.forks) - 1) if number is None else number
        return Block(number, self._hash(number), self._hash(number - 1), UnixSeconds(number), (), base_fee=0)

    def require_unchanged(self, block: Block) -> None:
        if self.block(block.number).hash != block.hash:
            raise ChainReorganised

    def timed(self, first: int, last: int) -> Iterator[TimedEvent]:
        for number in range(first, last + 1):
            made = event("ConsentRegistry", "AllRevoked", block=number, subject=number % 2 + 1, epoch=number)
            object.__setattr__(made.event, "block_hash", self._hash(number))
            yield made

    def renew(self) -> None:
        self.renewed += 1

    def check_chain(self) -> None:
        if self.is_another:
            raise WrongChain("another")

    def _hash(self, number: int) -> Bytes32:
        return Bytes32(f"{self.forks[number]}-{number}".encode().ljust(32))


def watching(
    node: FakeNode, script: Script, *, first: int | None = None, wishes: tuple[str, ...] = ()
) -> Script:
    """Run until the script, a step at each sleep, is over; return blocks and kinds of notices in order."""
    steps = iter(script)

    class Over(Exception):
        pass

    def sleep(_: float) -> None:
        step = next(steps, None)
        if step is None:
            raise Over
        step()

    start = None if first is None else BlockNumber(first)
    watch = Watch(node, first=start, filter_=Filter(wishes), sleep=sleep)  # type: ignore[arg-type]
    shown: Script = []
    try:
        for item in watch.run():
            shown.append(item.kind if isinstance(item, Notice) else item.event.block_number)
    except Over:
        pass
    return shown


def test_watch_begins_after_the_head_or_where_it_is_told() -> None:
    node = FakeNode(3)
    assert watching(node, [lambda: node.grow(2), lambda: None, lambda: node.grow(1)]) == [4, 5, 6]
    assert watching(FakeNode(3), [], first=2) == [2, 3]


def test_watch_shows_no_event_twice_while_nothing_changes() -> None:
    assert watching(FakeNode(3), [lambda: None] * 5, first=1) == [1, 2, 3]


def test_node_that_goes_away_is_told_once_and_asked_again() -> None:
    node = FakeNode(1)

    def leave() -> None:
        node.is_away = True

    def come_back() -> None:
        node.is_away = False
        node.grow(1)

    assert watching(node, [leave, lambda: None, lambda: None, come_back]) == ["silent", "back", 2]
    assert node.renewed == 3  # each try takes the address anew


def test_node_of_another_chain_that_answers_instead_ends_the_watch() -> None:
    node = FakeNode(1)

    def replaced() -> None:
        node.is_away, node.is_another = True, True

    with pytest.raises(WrongChain):
        watching(node, [replaced, lambda: None])


def test_blocks_that_were_replaced_are_told_and_shown_again() -> None:
    node = FakeNode(5)
    assert watching(node, [lambda: node.reorganise(4, "second")], first=3) == [
        3, 4, 5, "reorganised", 4, 5,
    ]  # fmt: skip


def test_replacement_that_is_longer_or_shorter_is_found() -> None:
    node = FakeNode(4)

    def longer() -> None:
        node.reorganise(4, "second")
        node.grow(1, "second")

    def shorter() -> None:
        node.forks = [*node.forks[:4], "third"]

    assert watching(node, [longer, shorter], first=4) == [
        4, "reorganised", 4, 5, "reorganised", 4,
    ]  # fmt: skip


def test_node_that_is_merely_behind_changes_nothing() -> None:
    node = FakeNode(5)

    def behind() -> None:
        node.forks = node.forks[:4]

    assert watching(node, [behind, lambda: node.grow(3)], first=3) == [3, 4, 5, 6]


def test_reorganisation_of_the_head_the_watch_began_after_is_found() -> None:
    node = FakeNode(3)
    assert watching(node, [lambda: node.reorganise(3, "second")]) == ["reorganised", 3]


def test_filter_takes_contracts_events_and_ids() -> None:
    odd, even = "0x000000000000000000000002", "0x000000000000000000000001"
    assert watching(FakeNode(4), [], first=1, wishes=(odd,)) == [1, 3]
    assert watching(FakeNode(4), [], first=1, wishes=(odd, even)) == [1, 2, 3, 4]
    assert watching(FakeNode(4), [], first=1, wishes=("ConsentRegistry", odd)) == [1, 3]
    assert watching(FakeNode(4), [], first=1, wishes=("AuditAnchor",)) == []
    assert watching(FakeNode(4), [], first=1, wishes=("AllRevoked", "AuditAnchor")) == []
    assert watching(FakeNode(4), [], first=1, wishes=("AllRevoked", "SubjectOpened")) == [1, 2, 3, 4]
    assert watching(FakeNode(4), [], first=1, wishes=(account(9),)) == []
    assert (
        watching(FakeNode(4), [], first=1, wishes=("SubjectAdopted",)) == []
    )  # of a succeeding contract only


def test_filter_by_contract_takes_every_generation() -> None:
    adopted = sample("ConsentRegistry", "SubjectAdopted", 1)
    assert Filter(["ConsentRegistry"]).fits(adopted)
    assert Filter(["SubjectAdopted"]).fits(adopted)
    assert not Filter(["KeyRegistry"]).fits(adopted)


@pytest.mark.parametrize("wish", ["ConsentGrant", "registry", ""])
def test_filter_that_is_nothing_known_is_refused(wish: str) -> None:
    with pytest.raises(InvalidInput):
        Filter([wish])


def test_watch_goes_on_for_ever() -> None:
    node = FakeNode(0)

    def sleep(_: float) -> None:
        node.grow(1)

    watch = Watch(node, first=None, filter_=Filter(()), sleep=sleep)  # type: ignore[arg-type]
    assert len(list(islice(watch.run(), 2000))) == 2000
