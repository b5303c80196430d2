"""Events as they come. Survives a node that goes away, and says when blocks were replaced by others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backend.adapters.ledger.abi import CONTRACTS
from backend.adapters.ledger.errors import ChainReorganised
from backend.consent.ledger_types import TimedEvent
from backend.errors import InvalidInput, LedgerUnavailable
from backend.explorer.node import Node
from backend.explorer.show import parse_id
from backend.explorer.wording import KINDS_OF, ids_of
from backend.types import BlockNumber, Bytes32

_REMEMBERED_BLOCKS: Final = 512
_BLOCKS_A_STEP: Final = 2000
_EVENTS: Final = {event for _, event in KINDS_OF}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the watching itself. ``kind``: 'silent', 'back' or 'reorganised'."""

    kind: str
    text: str
    block: BlockNumber | None = None


class Filter:
    """Contracts, events and ids. Those of one sort are alternatives; every sort given must fit.

    A contract's name means those of every generation.
    """

    def __init__(self, wishes: Sequence[str]) -> None:
        """Raise InvalidInput for a wish that is neither a contract, an event nor an id."""
        self._contracts = {wish for wish in wishes if wish in CONTRACTS}
        self._events = {wish for wish in wishes if wish in _EVENTS}
        rest = [wish for wish in wishes if wish not in self._contracts | self._events]
        try:
            self._ids = {parse_id(wish) for wish in rest}
        except InvalidInput as error:
            raise InvalidInput(
                f"{error.detail} Or name a contract ({', '.join(CONTRACTS)}) or an event.", field="filter"
            ) from error

    def fits(self, timed: TimedEvent) -> bool:
        return (
            (not self._contracts or timed.event.contract in self._contracts)
            and (not self._events or timed.event.name in self._events)
            and (not self._ids or not self._ids.isdisjoint(ids_of(timed)))
        )


class Watch:
    """Yields events and notices for ever. ``sleep`` is called between two looks at the chain."""

    def __init__(
        self,
        node: Node,
        *,
        first: BlockNumber | None,
        filter_: Filter,
        interval_seconds: float = 1.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``first``: the first block to show; None begins after the newest."""
        self._node = node
        self._filter = filter_
        self._interval_seconds = interval_seconds
        self._sleep = sleep
        self._seen: dict[BlockNumber, Bytes32] = {}  # the newest of the blocks shown
        if first is None:
            head = node.block()
            self._seen[head.number] = head.hash
            first = BlockNumber(head.number + 1)
        self._next = first
        self._is_silent = False

    def run(self) -> Iterator[TimedEvent | Notice]:
        while True:
            try:
                if self._is_silent:
                    self._node.renew()
                    self._node.check_chain()
                yield from self._look()
            except ChainReorganised:
                pass  # the next look finds where
            except LedgerUnavailable as error:
                if not self._is_silent:
                    self._is_silent = True
                    yield Notice("silent", f"{error.detail} Trying again until it answers.")
            self._sleep(self._interval_seconds)

    def _look(self) -> Iterator[TimedEvent | Notice]:
        head = self._node.block()
        if self._is_silent:
            self._is_silent = False
            yield Notice("back", f"The node answers again; its newest block is {head.number}.", head.number)
        yield from self._replaced(head.number)
        while self._next <= head.number:
            last = BlockNumber(min(self._next + _BLOCKS_A_STEP - 1, head.number))
            end = self._node.block(last)
            found = list(self._node.scan.timed(self._next, last))
            self._node.require_unchanged(end)
            for timed in found:
                self._seen[timed.event.block_number] = timed.event.block_hash
            self._seen[last] = end.hash
            self._next = BlockNumber(last + 1)
            for number in sorted(self._seen)[:-_REMEMBERED_BLOCKS]:
                del self._seen[number]
            yield from (timed for timed in found if self._filter.fits(timed))

    def _replaced(self, head: BlockNumber) -> Iterator[Notice]:
        """Go back behind the blocks that are not those shown any more, and say so.

        What lies above the node's head is left alone: the node may only be behind.
        """
        known = sorted(number for number in self._seen if number <= head)
        wrong = None
        while known and self._node.block(known[-1]).hash != self._seen[known[-1]]:
            wrong = known.pop()
        if wrong is None:
            return
        self._next = BlockNumber(known[-1] + 1) if known else wrong
        self._seen = {number: self._seen[number] for number in known}
        text = (
            f"The chain was reorganised: blocks from {self._next} on may be others now and are shown again."
        )
        yield Notice("reorganised", text, self._next)
