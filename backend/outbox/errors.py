"""Errors of the outbox."""

from __future__ import annotations

from backend.errors import Conflict, Unavailable
from backend.types import UnixSeconds


class LeaseLost(Unavailable):
    """Another caller carries the same act on, and had not finished it when the wait for it ended."""

    code = "act_lease_lost"
    remedy = "The same act is under way already. Send it again shortly: that gives its outcome."


class NotYet(Unavailable):
    """A step has to wait for a time, and is taken up again then. To wait is not to fail."""

    code = "act_waits"
    remedy = "The act goes on by itself when its time has come."

    def __init__(self, until: UnixSeconds) -> None:
        super().__init__()
        self.until = until


class ActConflict(Conflict):
    """The same act id was begun before with other content."""

    code = "act_conflict"
    remedy = "Use a new id or idempotency key for other content."


class ActFailed(Conflict):
    """The same act was begun before and refused for good; the detail names the code it was refused with."""

    code = "act_failed"
    remedy = "Sending the same again changes nothing. Mend the reason, and send a new draft or a new key."
