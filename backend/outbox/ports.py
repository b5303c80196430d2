"""What the outbox needs of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from backend.outbox.types import Act, Waiting
from backend.types import UnixSeconds


class ActStore(Protocol):
    """Every write is durable (survives a crash of all processes) when the method returns.

    All methods raise Unavailable when the store does not answer.
    """

    def insert(self, act: Act, *, holder: str, leased_until: UnixSeconds) -> bool:
        """Add the act under a lease; False if (kind, act_id) exists already, which is then unchanged."""
        ...

    def get(self, kind: str, act_id: str) -> Act | None: ...

    def named(self, kind: str, beginning: str) -> list[Act]:
        """Return the acts of a kind whose ids begin so, over or not."""
        ...

    def claim(
        self, kind: str, act_id: str, *, holder: str, now: UnixSeconds, until: UnixSeconds
    ) -> Act | None:
        """Take a lease that has run out, and raise the fence; None if it is held or the act is over."""
        ...

    def advance(self, act: Act, *, state: str, data: Mapping[str, Any]) -> bool:
        """Move on by compare-and-swap on the fence; False if the fence is no longer current."""
        ...

    def postpone(self, act: Act, *, until: UnixSeconds, failed: bool = True) -> None:
        """Leave the act alone until then, and count a failed attempt. No effect if the fence is old."""
        ...

    def unfinished(self, kinds: Sequence[str]) -> list[Act]:
        """All acts of these kinds that are not over, oldest first."""
        ...

    def waiting(self) -> list[Waiting]:
        """Acts that are not over, of every kind. For counting alone: what is damaged counts too."""
        ...

    def due(self, *, now: UnixSeconds, limit: int) -> list[Act]:
        """Acts not over whose lease has run out, oldest first."""
        ...
