"""Puts into the log what reached the chain past this service, or while it was down or behind.

It counts at the head without this. The blocks are read from where one came to the last time up to the final
one, so that nothing is missed, and what concerns this custodian and is not in the log is taken.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from backend.consent.finality import Viewed
from backend.recurring import Recurring
from backend.types import BlockNumber, Bytes32

_LOG = logging.getLogger("assent.consent")
INTERVAL_SECONDS: Final = 0.2
_STRETCH: Final = 20_000  # blocks of one step
_KEEP_EVERY: Final = 64  # blocks; what lies between is read again after a restart, and changes nothing
Found = TypeVar("Found")
Found_co = TypeVar("Found_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Position:
    """The last block that was read."""

    block: BlockNumber
    hash: Bytes32


class Blocks(Protocol[Found_co]):
    """The chain's side. Methods raise LedgerUnavailable."""

    def between(self, first: BlockNumber, last: BlockNumber) -> Sequence[Found_co]:
        """Return what these blocks have, both included, in chain order."""
        ...

    def hash_of(self, number: BlockNumber) -> Bytes32 | None:
        """Return the hash of a block, None where the node does not have it."""
        ...


class PositionStore(Protocol):
    """Where it is kept how far was read. Methods raise Unavailable."""

    def get(self) -> Position | None:
        """Return None where none was kept, or what is kept was not written by this service."""
        ...

    def put(self, position: Position) -> None: ...


class Reader(Protocol):
    """``what``: what there are, in words."""

    @property
    def what(self) -> str: ...

    def step(self) -> None:
        """Take a stretch of final blocks. Raises Unavailable."""
        ...


class RecordedWatch(Recurring):
    """Steps five times a second, in a thread of its own: what cannot be taken yet holds up nothing else."""

    def __init__(self, reader: Reader, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        super().__init__(
            name=f"recorded-{reader.what}",
            every_seconds=interval_seconds,
            log=_LOG,
            failing=f"{reader.what} in the final blocks could not be looked for",
            away=logging.DEBUG,  # others tell that the node is away, and not five times a second
            waits_first=True,
        )
        self._reader = reader

    def _round(self) -> None:
        self._reader.step()


class RecordedReader(Generic[Found]):
    """For one thread. ``concerns``: whether something is for this custodian's log; ``take`` gives it to the
    log and tells whether it was new there; ``what``: what there are, in words."""

    def __init__(
        self,
        *,
        blocks: Blocks[Found],
        positions: PositionStore,
        ledger: Viewed,
        concerns: Callable[[Found], bool],
        take: Callable[[Found], bool],
        first_block: BlockNumber,
        what: str,
    ) -> None:
        """``first_block``: of the deployment, where it begins when nothing is kept."""
        self._blocks = blocks
        self._positions = positions
        self._ledger = ledger
        self._concerns = concerns
        self._take = take
        self.what = what
        self._first_block = first_block
        self._next: BlockNumber | None = None
        self._kept = BlockNumber(0)

    def step(self) -> None:
        """Read the next stretch up to the final block. Raises Unavailable; then the same again later."""
        final = self._ledger.view().final_number
        first = self._begin() if self._next is None else self._next
        if first > final:
            return
        last = BlockNumber(min(final, first + _STRETCH - 1))
        number = 0
        for found in self._blocks.between(first, last):
            if self._concerns(found):
                number += self._take(found)
        if number:
            _LOG.info("%s that the chain has were put into the log", self.what, extra={"number": number})
        if number or last >= self._kept + _KEEP_EVERY:
            self._keep(last)
        self._next = BlockNumber(last + 1)

    def _begin(self) -> BlockNumber:
        """Return where to go on: at the beginning where the block that was read last was replaced since."""
        kept = self._positions.get()
        if kept is None or self._blocks.hash_of(kept.block) != kept.hash:
            return self._first_block
        self._kept = kept.block
        return BlockNumber(kept.block + 1)

    def _keep(self, last: BlockNumber) -> None:
        found = self._blocks.hash_of(last)
        if found is not None:
            self._positions.put(Position(last, found))
            self._kept = last
