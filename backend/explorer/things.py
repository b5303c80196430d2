"""What an id is: every contract is asked whether it keeps it as a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from backend.explorer.consent_things import consent_things, subject_things
from backend.explorer.market_things import money_things, study_things
from backend.explorer.member_things import account_things, member_things, operation_things
from backend.explorer.record_things import commitment_things, log_things, opening_things
from backend.explorer.thing import Thing, View

_LOOKS: Final[tuple[Callable[[View, bytes], Iterator[Thing]], ...]] = (
    consent_things,
    subject_things,
    member_things,
    commitment_things,
    log_things,
    study_things,
    money_things,
    opening_things,
    operation_things,
    account_things,
)


def find(view: View, word: bytes) -> list[Thing]:
    """Return every meaning of a word; none where no contract keeps it as a key."""
    return [thing for look in _LOOKS for thing in look(view, word)]
