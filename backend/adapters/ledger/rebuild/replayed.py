"""What every contract's replay has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from backend.adapters.ledger.rebuild.words import Entry
from backend.types import BlockNumber, UnixSeconds


class Moment(NamedTuple):
    """The block an event is in; some writes hold its number or time and the event does not repeat them."""

    block: BlockNumber
    time: UnixSeconds


Arguments = Mapping[str, Any]
Handler = Callable[[Arguments, Moment], None]


class Replayed(ABC):
    """One contract. ``handlers`` has an entry for every event of its interface; a test compares."""

    CONTRACT: ClassVar[str]

    @property
    @abstractmethod
    def handlers(self) -> Mapping[str, Handler]:
        """Event name to what it changes."""

    @abstractmethod
    def storage(self) -> Iterator[Entry]:
        """Yield every word that was ever written, also those that are empty again."""


def nothing(_: Arguments, __: Moment) -> None:
    """For events that tell of no write."""
