"""Errors of the outbox."""

from __future__ import annotations

from backend.errors import Conflict, Unavailable


class LeaseLost(Unavailable):
    """Another process took the act over while this one was working on it."""

    code = "act_lease_lost"
    remedy = "Another process carries the act on. Ask for its state."


class ActConflict(Conflict):
    """The same act id was begun before with other content."""

    code = "act_conflict"
    remedy = "Use a new id or idempotency key for other content."
