"""Whose turn it is to draw the counts of a period, how far that is, and the port to where it is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from backend.audit.entry import Agent
from backend.types import UnixSeconds

LEASE_SECONDS: Final = 600
RENEW_SECONDS: Final = 60
_STEP: Final = 5
_NEVER: Final = UnixSeconds(0)


class TurnLost(Exception):
    """Another process has the turn."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One a period. ``by`` is who had it drawn: an operator, or the service itself.

    ``holder`` draws until ``leased_until``; ``percent`` is in steps of 5. After a failure with ``code`` it is
    tried again from ``again_at`` on. ``done``: drawn, and in the audit log; or the period is over.
    ``revision`` rises with each change, for compare-and-swap. Times are unix seconds.
    """

    ledger: str
    period: int
    by: Agent
    percent: int = 0
    code: str = ""
    holder: str = ""
    leased_until: UnixSeconds = _NEVER
    again_at: UnixSeconds = _NEVER
    done: bool = False
    revision: int = 1

    def after(self, **changes: object) -> Turn:
        """The next revision."""
        return replace(self, revision=self.revision + 1, **changes)  # type: ignore[arg-type]


class TurnStore(Protocol):
    """Turns. Every write is durable on return. All raise IndexUnavailable."""

    def begin(self, turn: Turn) -> Turn:
        """Store it, or return the one of its period that was stored before."""

    def find(self, ledger: str, period: int) -> Turn | None: ...

    def replace(self, turn: Turn) -> bool:
        """Store a turn whose revision is one above the stored one's; False when it is not."""

    def open(self, ledger: str) -> list[Turn]:
        """Those that are not done, the earliest period first."""


class HeldTurn:
    """A turn that this process holds. All raise IndexUnavailable, and TurnLost when it holds it no longer."""

    def __init__(self, turn: Turn, *, turns: TurnStore, clock: Callable[[], int]) -> None:
        self.turn = turn
        self._turns = turns
        self._clock = clock
        self._written = time.monotonic()

    def renew(self, percent: int) -> None:
        """Write down how far it is, when that is a step further or the lease is a minute old."""
        rounded = percent - percent % _STEP
        if rounded != self.turn.percent or time.monotonic() - self._written > RENEW_SECONDS:
            self._move(percent=rounded, leased_until=_lease(self._clock))

    def done(self) -> None:
        self._move(done=True, percent=100)

    def failed(self, code: str, *, again_at: UnixSeconds) -> None:
        self._move(code=code, again_at=again_at, leased_until=_NEVER)

    def give_back(self) -> None:
        self._move(leased_until=_NEVER)

    def _move(self, **changes: object) -> None:
        moved = self.turn.after(**changes)
        if not self._turns.replace(moved):
            raise TurnLost
        self.turn, self._written = moved, time.monotonic()


def hold(turn: Turn, holder: str, *, turns: TurnStore, clock: Callable[[], int]) -> HeldTurn | None:
    """Take a turn; None when another process was quicker."""
    taken = turn.after(holder=holder, leased_until=_lease(clock), percent=0, code="")
    return HeldTurn(taken, turns=turns, clock=clock) if turns.replace(taken) else None


def _lease(clock: Callable[[], int]) -> UnixSeconds:
    return UnixSeconds(clock() + LEASE_SECONDS)
