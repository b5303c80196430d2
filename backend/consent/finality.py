"""Whether something took effect for good, and not only in a block that another one may replace.

A restriction stays in the queue until the final block shows it. Where not even the head does, the block that
had it is gone, and what recorded it is sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from backend.consent.ledger_types import LedgerView
from backend.outbox.errors import NotYet
from backend.outbox.types import Act
from backend.types import BlockNumber, UnixSeconds

_LONGEST_WAIT_SECONDS: Final = 8


class Viewed(Protocol):
    def view(self) -> LedgerView: ...


def final_block_with(
    holds: Callable[[BlockNumber], bool], act: Act, *, ledger: Viewed, now: int
) -> BlockNumber | None:
    """Return the final block, in which it holds; None where neither it nor the head has it.

    Raise NotYet where only the head has it, LedgerUnavailable in doubt.
    """
    view = ledger.view()
    if holds(view.final_number):
        return view.final_number
    if view.head_number != view.final_number and holds(view.head_number):
        # Rarely, so that an act that waits for blocks does not look like one that fails.
        raise NotYet(UnixSeconds(now + min(2**act.attempts, _LONGEST_WAIT_SECONDS)))
    return None
