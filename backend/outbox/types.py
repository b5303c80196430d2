"""Acts: what has been promised and how far it has got."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.types import UnixSeconds

DONE = "done"  # every step has taken effect
FAILED = "failed"  # a step was refused for good; ``data['failure']`` holds the error's code


@dataclass(frozen=True, slots=True)
class Act:
    """One act, e.g. a grant to be recorded. ``act_id`` is unique within ``kind`` and chosen by the caller, so
    that a retry finds the same act.

    ``data`` holds what the next steps need: str, int, bytes, bool, None, lists and dicts of these.
    ``fence`` rises with every lease; a holder whose fence is old can no longer write.
    """

    kind: str
    act_id: str
    state: str
    data: Mapping[str, Any]
    fence: int
    attempts: int
    created_at: UnixSeconds

    @property
    def is_over(self) -> bool:
        return self.state in (DONE, FAILED)


@dataclass(frozen=True, slots=True)
class Advance:
    """What a step returns: the state to go to, and the members of ``data`` to set."""

    state: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An act that is not over, as far as one may look without judging it. ``due_at``: its next try."""

    kind: str
    attempts: int
    created_at: UnixSeconds
    due_at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Backlog:
    """The acts of a kind that are not over. ``failing`` of them are tried again and again, and not done; the
    others are under way, or wait for their time."""

    kind: str
    waiting: int
    failing: int
    oldest_at: UnixSeconds


Step = Callable[[Act], Advance]
"""Does one thing in one store, idempotently: after a crash it runs again with the same act."""
