"""Who sits on the ethics board now, by the registry of members."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.consent.member_book import MemberBook, Shown
from backend.identity.roles import CHAIN_BIT_OF_ROLE, Role
from backend.research.board.errors import NoSeat
from backend.research.board.ports import BoardRoll
from backend.research.board.types import Person, Seat

_BIT = CHAIN_BIT_OF_ROLE[Role.ETHICS_BOARD]


class RegisteredBoard:
    """Implements ``BoardRoll``. A member whose suspension was received here has no seat from then on."""

    def __init__(self, book: MemberBook, *, clock: Callable[[], int]) -> None:
        self._book = book
        self._clock = clock

    def seats(self) -> Sequence[Seat]:
        now = self._clock()
        return [
            Seat(entry.member, entry.account, entry.name or "")
            for entry in self._book.all()
            if entry.roles & _BIT
            and entry.account is not None
            and entry.standing.shown is Shown.ACTIVE
            and now < entry.expiry
        ]


def seat_of(roll: BoardRoll, person: Person) -> Seat:
    """Return the seat of who asks. Raises NoSeat, LedgerUnavailable."""
    if person.account is not None:
        for seat in roll.seats():
            if seat.account.lower() == person.account.lower():
                return seat
    raise NoSeat
