"""Counting uses of consents that permit a limited number: durable, and exact under concurrency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backend.errors import Conflict
from backend.types import ConsentId


class UsesExhausted(Conflict):
    """The last permitted use was taken by somebody else after the decision."""

    code = "uses_exhausted"
    remedy = "Ask again; the decision is made anew."


class UseStore(Protocol):
    """Counters, one a consent. Every write is durable on return."""

    def counts(self, consents: Sequence[ConsentId]) -> dict[ConsentId, int]: ...

    def increment(self, consent: ConsentId, *, limit: int) -> bool:
        """Add one use if fewer than ``limit`` were made; tell whether it was added."""
