"""Counting uses of consents that permit a limited number, in all or in any period: durable, and exact under
concurrency."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from backend.consent.terms import UNLIMITED_USES, ConsentTerms
from backend.errors import Conflict
from backend.types import ConsentId, UnixSeconds


class UsesExhausted(Conflict):
    """The last permitted use was taken by somebody else after the decision."""

    code = "uses_exhausted"
    remedy = "Ask again; the decision is made anew."


class Exhausted(Enum):
    """Which limit leaves no use now."""

    USES = "uses"
    FREQUENCY = "frequency"


class Taken(NamedTuple):
    """The uses made: how many, and as far as a frequency needs them the times of the latest, oldest first."""

    made: int = 0
    at: tuple[UnixSeconds, ...] = ()


class UseLimit(NamedTuple):
    """``max_uses`` in all, ``uses_per_period`` in any window of ``period_seconds``; as in the terms."""

    max_uses: int
    uses_per_period: int
    period_seconds: int

    def exhausted(self, taken: Taken, now: UnixSeconds) -> Exhausted | None:
        """Return the limit that forbids a use at ``now``. A use at t counts while now < t + period."""
        if taken.made >= self.max_uses:
            return Exhausted.USES
        if self.uses_per_period == UNLIMITED_USES:
            return None
        return Exhausted.FREQUENCY if self.recent(taken, now) >= self.uses_per_period else None

    def recent(self, taken: Taken, now: UnixSeconds) -> int:
        """Return how many uses a frequency counts at ``now``; without one, none."""
        if self.uses_per_period == UNLIMITED_USES:
            return 0
        recent = sum(now < at + self.period_seconds for at in taken.at)
        return recent + max(0, min(taken.made, self.uses_per_period) - len(taken.at))  # of unknown time: now

    def after_use(self, taken: Taken, now: UnixSeconds) -> Taken:
        """Return what is to be kept once a use is made at ``now``; of a clock put back, the later time."""
        if self.uses_per_period == UNLIMITED_USES:
            return Taken(taken.made + 1)
        at = max([now, *taken.at[-1:]])
        return Taken(taken.made + 1, (*taken.at, at)[-self.uses_per_period :])

    def most_in(self, seconds: int) -> int:
        """Return a number of uses that no window of so many seconds exceeds."""
        if self.uses_per_period == UNLIMITED_USES:
            return self.max_uses
        periods = -(-seconds // self.period_seconds)
        return min(self.max_uses, self.uses_per_period * periods)


UNLIMITED: Final = UseLimit(UNLIMITED_USES, UNLIMITED_USES, 0)
NO_USE: Final = UseLimit(0, 0, 0)  # of a deny, whose uses are not counted
UNUSED: Final = Taken()


def limit_of(terms: ConsentTerms) -> UseLimit:
    return UseLimit(terms.max_uses, terms.uses_per_period, terms.period_seconds)


class UseStore(Protocol):
    """Counters, one a consent. Every write is durable on return."""

    def taken(self, consents: Sequence[ConsentId]) -> dict[ConsentId, Taken]: ...

    def take(self, consent: ConsentId, limit: UseLimit, *, now: UnixSeconds) -> bool:
        """Add one use if the limit leaves one; tell whether it was added."""
